package component_test

import (
	"fmt"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/component/componenttest"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
)

func builtin(self string) component.Context {
	ctx := componenttest.Prod(self)
	ctx.Spec.LoadBalancer.Kind, ctx.EtcdCluster, ctx.BalancerSum = spec.BuiltinBalancer, "cdf818194e3a8c32", "0123"
	return ctx
}

func TestBalancer(t *testing.T) {
	for _, self := range []string{"cp1", "w1"} {
		s, err := component.Balancer(builtin(self))
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, f := range s.Rendered() {
			fmt.Fprintf(&got, "==> %s\n%s", f.Path, f.Content)
		}
		componenttest.Golden(t, "quorate-lb."+self+".txt", got.String())
		file, err := config.Parse(s.Rendered()[0].Content)
		if err != nil {
			t.Fatal(err)
		}
		if file.Stamp != s.Stamp() {
			t.Errorf("it would tell the stamp %q, not %q", file.Stamp, s.Stamp())
		}
	}
}

// Whoever comes or goes, the API server's own flags stay.
func TestAPIServerKeepsItsWay(t *testing.T) {
	three := builtin("cp1")
	one := builtin("cp1")
	one.EtcdMembers, one.APIServers = one.EtcdMembers[:1], one.APIServers[:1]
	a, err := component.APIServer(three)
	if err != nil {
		t.Fatal(err)
	}
	b, err := component.APIServer(one)
	if err != nil {
		t.Fatal(err)
	}
	if a.Stamp() != b.Stamp() {
		t.Error("another set of etcd members restarts the API server")
	}
	if !strings.Contains(a.Unit, "--etcd-servers=https://127.0.0.1:2378") || !strings.Contains(a.Unit, "quorate-lb.service") {
		t.Errorf("it does not ask the way to etcd, or is not ordered after it:\n%s", a.Unit)
	}
}

// A new program takes over from the old one, so the unit must tell them apart.
func TestBalancerKnowsItsProgram(t *testing.T) {
	a, b := builtin("w1"), builtin("w1")
	b.BalancerSum = "4567"
	sa, _ := component.Balancer(a)
	sb, _ := component.Balancer(b)
	if sa.Stamp() == sb.Stamp() {
		t.Error("a new program changes nothing")
	}
}

// Many nodes check less often; a few more of them change nothing.
func TestBalancerManyNodes(t *testing.T) {
	interval := func(nodes int) string {
		ctx := builtin("w1")
		for len(ctx.Nodes) < nodes {
			ctx.Nodes = append(ctx.Nodes, topology.Node{Name: fmt.Sprint("n", len(ctx.Nodes)), Worker: true})
		}
		s, err := component.Balancer(ctx)
		if err != nil {
			t.Fatal(err)
		}
		f, err := config.Parse(s.Rendered()[0].Content)
		if err != nil {
			t.Fatal(err)
		}
		return f.Ways[0].Interval().String()
	}
	if a, b, c := interval(4), interval(50), interval(999); a != "250ms" || b != "250ms" || c != "5s" {
		t.Errorf("4 nodes: %s, 50: %s, 999: %s", a, b, c)
	}
}
