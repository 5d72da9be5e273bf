package component_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/component/componenttest"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

func doorContext(self int) component.Context {
	nodes := []topology.Node{
		{Name: "cp2", Address: "10.0.0.12", ControlPlane: true},
		{Name: "cp1", Address: "10.0.0.11", ControlPlane: true},
		{Name: "cp3", Address: "fd00::13", ControlPlane: true},
		{Name: "w1", Address: "10.0.0.21", Worker: true},
	}
	return component.Context{Cluster: "prod", Layout: lay, Spec: spec.Spec{ControlPlaneEndpoint: "api.prod.internal:8443"},
		Self: nodes[self], Nodes: nodes, APIServers: nodes[:3]}
}

func TestFrontDoor(t *testing.T) {
	for name, self := range map[string]int{"cp1": 1, "w1": 3} {
		s, err := component.FrontDoor(doorContext(self))
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, f := range s.Rendered() {
			got.WriteString("==> " + f.Path + "\n" + string(f.Content))
		}
		componenttest.Golden(t, "kube-nginx."+name+".txt", got.String())
	}
}

// The order of the nodes must not matter, or a reload would come of nothing.
func TestFrontDoorIsOrdered(t *testing.T) {
	a, b := doorContext(1), doorContext(1)
	b.APIServers = []topology.Node{a.APIServers[2], a.APIServers[0], a.APIServers[1]}
	sa, _ := component.FrontDoor(a)
	sb, _ := component.FrontDoor(b)
	if sa.Stamp() != sb.Stamp() {
		t.Error("the stamp depends on the order of the API servers")
	}
}

func TestFrontDoorRefusals(t *testing.T) {
	port, none, bad := doorContext(1), doorContext(3), doorContext(3)
	port.Spec.ControlPlaneEndpoint = "api.prod.internal:6443"
	none.APIServers = nil
	bad.Spec.ControlPlaneEndpoint = "api.prod.internal"
	for _, ctx := range []component.Context{port, none, bad} {
		if _, err := component.FrontDoor(ctx); err == nil || !strings.Contains(err.Error(), ctx.Self.Name) {
			t.Errorf("%q with %d API servers: error %v", ctx.Spec.ControlPlaneEndpoint, len(ctx.APIServers), err)
		}
	}
	port.Self = port.Nodes[3] // a worker has no API server of its own
	if _, err := component.FrontDoor(port); err != nil {
		t.Error(err)
	}
}

// The configuration is good for the real program, staged as it will be.
func TestNginxAccepts(t *testing.T) {
	if _, err := os.Stat("/usr/sbin/nginx"); err != nil || os.Getuid() != 0 {
		t.Skip("no nginx here, or not root")
	}
	s, err := component.FrontDoor(doorContext(3))
	if err != nil {
		t.Fatal(err)
	}
	stage(t, s)
}

func stage(t *testing.T, s workload.Service) {
	dir := t.TempDir()
	for _, f := range s.Rendered() {
		path := dir + f.Path
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range s.Verify {
		if _, err := exec.LookPath(v[0]); err != nil {
			t.Logf("%s is not here", v[0])
			continue
		}
		var args []string
		for _, a := range v[1:] {
			args = append(args, strings.ReplaceAll(a, "{}", dir))
		}
		out, err := exec.Command(v[0], args...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(v, " "), err, out)
		} else if len(out) > 0 {
			t.Logf("%s: %s", v[0], out)
		}
	}
}

func hostsBlock(c component.Context) string {
	return topology.HostsBlock(c.Spec.ControlPlaneEndpoint, c.EndpointLeadsTo(), c.Nodes)
}

func TestHosts(t *testing.T) {
	block := hostsBlock(doorContext(1))
	want := "# BEGIN quorate\n127.0.0.1 api.prod.internal\n10.0.0.11 cp1\n10.0.0.12 cp2\nfd00::13 cp3\n10.0.0.21 w1\n# END quorate\n"
	if block != want {
		t.Errorf("block:\n%s", block)
	}
	mine := "127.0.0.1 localhost\n# mine\n"
	for _, c := range []struct{ name, old, block, want string }{
		{"new file", "", block, block},
		{"added", mine, block, mine + block},
		{"no final newline", "127.0.0.1 localhost", block, "127.0.0.1 localhost\n" + block},
		{"unchanged", mine + block + "::1 x\n", block, mine + block + "::1 x\n"},
		{"replaced in place", mine + "# BEGIN quorate\nold\n# END quorate\n::1 x\n", block, mine + block + "::1 x\n"},
		{"removed", mine + block, "", mine},
		{"twice", block + mine + block, block, block + mine},
		{"named before", mine + "10.0.0.9 api.prod.internal lb\n" + block, block, mine + block + "10.0.0.9 api.prod.internal lb\n"},
		{"named after", mine + block + "10.0.0.9 api.prod.internal\n", block, mine + block + "10.0.0.9 api.prod.internal\n"},
		{"no end", "# BEGIN quorate\n" + mine, block, block + mine},
	} {
		if got := topology.MergeHosts(c.old, c.block); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
	address := doorContext(1)
	address.Spec.ControlPlaneEndpoint = "10.0.0.100:8443"
	if strings.Contains(hostsBlock(address), "127.0.0.1") {
		t.Error("an address needs no name")
	}
}
