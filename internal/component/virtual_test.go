package component_test

import (
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/component/componenttest"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
)

// quorate-lb holds the virtual address on load balancers, else on control planes, and
// has the rights for that there only.
func TestVirtualRouter(t *testing.T) {
	shared := twoBalancers(func(lb *spec.LoadBalancer) { lb.Kind = spec.BuiltinBalancer })
	shared.EtcdCluster, shared.BalancerSum = "cdf818194e3a8c32", "0123"
	alone := shared
	alone.EtcdMembers = shared.APIServers
	alone.LoadBalancers, alone.Self, alone.Spec.ControlPlaneEndpoint = nil, shared.APIServers[0], "api.t.example:8443"
	for name, ctx := range map[string]component.Context{"lb2": shared, "cp2": alone} {
		s, err := component.Balancer(ctx)
		f, parseErr := config.Parse([]byte(rendered(t, s, err)))
		if parseErr != nil || len(f.VIPs) != 1 || !component.Table[model.Balancer].On(ctx) {
			t.Fatalf("%s: %+v, %v", name, f, parseErr)
		}
		componenttest.Golden(t, "quorate-lb.vip."+name+".txt", string(s.Rendered()[0].Content)+string(s.Rendered()[1].Content))
		if v := f.VIPs[0]; v.Advert.Std() != 100*time.Millisecond || v.Preempt || len(v.Peers) == 0 {
			t.Errorf("%s: %+v", name, v)
		}
	}
	node := shared
	node.Self, node.EtcdMembers, node.Spec.ControlPlaneEndpoint = shared.APIServers[0], shared.APIServers, "api.t.example:8443"
	s, err := component.Balancer(node)
	if text := rendered(t, s, err); strings.Contains(text, "vips:") || strings.Contains(s.Unit, "CAP_NET_ADMIN") ||
		strings.Contains(text, "192.0.2.100") {
		t.Errorf("a control plane behind load balancers:\n%s%s", text, s.Unit)
	}
	multicast := twoBalancers(func(lb *spec.LoadBalancer) { lb.Kind, lb.VIP.Multicast = spec.BuiltinBalancer, true })
	multicast.BalancerSum = "0123"
	s, err = component.Balancer(multicast)
	if text := rendered(t, s, err); strings.Contains(text, "peers:") {
		t.Errorf("multicast has peers:\n%s", text)
	}
}
