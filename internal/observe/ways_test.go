package observe

import (
	"slices"
	"testing"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/workload"
)

// leftBalancer is a load balancer that has left the file.
var leftBalancer = []kubeapi.Departed{{Name: "lb1", Roles: []string{spec.RoleLoadBalancer}}}

// cp1 to cp3 are at 192.0.2.1 to 3; .9 stands on cp2 for now, .8 on nobody.
func TestWays(t *testing.T) {
	ob, _ := observer(t, nil)
	g, err := goal.Build(ob.File, ob.Artifacts, nil)
	if err != nil {
		t.Fatal(err)
	}
	runs := map[model.Component]workload.State{model.APIServer: {Up: true}}
	o := &Observation{Goal: g, Facts: map[model.HostID]Facts{
		"cp1": {Addresses: []string{"127.0.0.1", "192.0.2.1"}, Services: runs},
		"cp2": {Addresses: []string{"127.0.0.1", "192.0.2.2", "192.0.2.9"}, Services: runs},
		"cp3": {Addresses: []string{"127.0.0.1", "192.0.2.3"}},
		"lb1": {Virtual: cut(virtual, "  virtual_ipaddress {\n    192.0.2.7/24 dev host0\n")},
		// A worker's word on this counts for nothing: it would change the ways of all.
		"w1": {Virtual: []string{"127.0.0.1", "192.0.2.8", "192.0.2.9"}},
	}, API: APIView{Departed: leftBalancer, Nodes: map[model.HostID]kubeapi.NodeStatus{"old1": {Address: "192.0.2.5"}}}}
	o.Facts["old1"] = Facts{Services: runs}
	set := model.SetOf[model.HostID]
	for name, at := range map[string]struct {
		server          string
		resolved, peers []string
		want            model.Way
	}{
		"own by loopback": {"https://127.0.0.1:6443", nil, nil, model.Way{Kind: model.OwnServer}},
		"own by address":  {"https://192.0.2.1:6443", nil, nil, model.Way{Kind: model.OwnServer}},
		"own balancer": {"https://api.prod.example:8443", []string{"127.0.0.1"}, []string{"127.0.0.1:8443"},
			model.Way{Kind: model.LocalBalancer}},
		"another's server":   {"https://192.0.2.3:6443", nil, nil, model.Way{Kind: model.FixedServer, Backends: set("cp3")}},
		"another's, by name": {"https://api:6443", []string{"192.0.2.2"}, nil, model.Way{Kind: model.FixedServer, Backends: set("cp2")}},
		"another's balancer": {"https://192.0.2.3:8443", nil, nil,
			model.Way{Kind: model.SharedBalancer, Backends: set("cp1", "cp2", "old1"), Carriers: set("cp3")}},
		"one's that leaves": {"https://192.0.2.5:6443", nil, nil, model.Way{Kind: model.FixedServer, Backends: set("old1")}},
		"a virtual address": {"https://192.0.2.9:6443", nil, nil, model.Way{Kind: model.SharedBalancer, Backends: set("cp1", "cp2", "old1")}},
		"somebody else's":   {"https://192.0.2.8:443", nil, nil, model.Way{Kind: model.SharedBalancer, Backends: set("cp1", "cp2", "old1")}},
		"own virtual address, which the file does not name": {"https://api.prod.example:8443", []string{"192.0.2.7"}, nil,
			model.Way{Kind: model.SharedAddress}},
		"many servers": {"https://api:6443", []string{"192.0.2.2", "192.0.2.3"}, []string{"192.0.2.3:6443"},
			model.Way{Kind: model.SharedBalancer, Backends: set("cp2", "cp3")}},
		"reads an older file": {"https://192.0.2.8:6443", nil, []string{"192.0.2.3:6443"},
			model.Way{Kind: model.FixedServer, Backends: set("cp3")}},
		"still the old address": {"https://api.prod.example:8443", []string{"127.0.0.1"}, []string{"192.0.2.3:6443"},
			model.Way{Kind: model.FixedServer, Backends: set("cp3")}},
	} {
		f := o.Facts["cp1"]
		f.Server, f.Resolved, f.Peers = at.server, at.resolved, at.peers
		if got := o.apiWay(g, "cp1", f); !got.Is(at.want) {
			t.Errorf("%s: %v, not %v", name, got, at.want)
		}
	}
	if got := o.apiWay(g, "cp1", o.Facts["cp1"]); got.Known() || got.Why() == "" {
		t.Errorf("of no kubeconfig it makes %v", got)
	}

	for name, at := range map[string]struct {
		servers []string
		want    model.Way
	}{
		"all members": {[]string{"https://192.0.2.1:2379", "https://192.0.2.3:2379"},
			model.Way{Kind: model.EachDirectly, Backends: set("cp1", "cp3")}},
		"its own": {[]string{"https://127.0.0.1:2379"}, model.Way{Kind: model.EachDirectly, Backends: set("cp2")}},
		"own and one": {[]string{"https://127.0.0.1:2379", "https://192.0.2.1:2379"},
			model.Way{Kind: model.EachDirectly, Backends: set("cp1", "cp2")}},
		"its balancer": {[]string{"https://127.0.0.1:2378"}, model.Way{Kind: model.LocalBalancer}},
		"none":         {nil, model.Way{Kind: model.EachDirectly}},
	} {
		if got := o.etcdWay(g, "cp2", Facts{EtcdServers: at.servers}); got != at.want {
			t.Errorf("%s: %v, not %v", name, got, at.want)
		}
	}
}

// Who holds the address of load balancers that the file does not want any more is
// seen all the same: nodes may still go by it.
func TestHeld(t *testing.T) {
	ob, _ := observer(t, nil)
	g, err := goal.Build(ob.File, ob.Artifacts, nil)
	if err != nil {
		t.Fatal(err)
	}
	on := model.Is("any")
	server := model.Host{Reached: model.Is(true), Ready: model.Is(true), Roles: model.ControlPlane}
	balancer := model.Host{Reached: model.Is(true)}
	server.Components[model.APIServer].Running = on
	balancer.Components[model.HAProxy].Running, balancer.Components[model.Keepalived].Running = on, on
	for name, at := range map[string]struct {
		addresses []string
		want      bool
	}{"held": {[]string{"192.0.2.41", "192.0.2.7"}, true}, "by nobody": {[]string{"192.0.2.41"}, false}} {
		o := &Observation{Goal: g, Facts: map[model.HostID]Facts{"cp1": {}, "lb1": {Virtual: []string{"192.0.2.7"}, Addresses: at.addresses},
			"w1": {Virtual: []string{"192.0.2.7"}, Addresses: []string{"192.0.2.7"}}}, API: APIView{Departed: leftBalancer}}
		c := model.New("t")
		server.EtcdVia = model.Is(model.Way{Kind: model.EachDirectly, Backends: model.SetOf[model.HostID]("cp1")})
		server.Components[model.Etcd].Running, server.Etcd.Healthy, server.Etcd.Member = on, model.Is(true), model.Is(model.Voter)
		c.Put("cp1", server)
		c.Put("lb1", balancer)
		c.Put("w1", balancer) // it says that it is one, too
		o.held(g, &c)
		if lb, w := c.Hosts["lb1"], c.Hosts["w1"]; len(c.Serving()) != 1 || lb.Carries() != at.want || w.Carries() {
			t.Errorf("%s: %v serve, lb1 carries the address: %v", name, c.Serving(), lb.Carries())
		}
	}
}

func TestPeers(t *testing.T) {
	got := peers(`ESTAB 0 0 192.0.2.21:41220 192.0.2.1:6443 users:(("kubelet",pid=7,fd=9))
ESTAB 0 0 [::ffff:127.0.0.1]:41222 [::ffff:127.0.0.1]:6443 users:(("kubelet",pid=7,fd=10))
ESTAB 0 0 192.0.2.21:41224 192.0.2.1:6443 users:(("kubelet",pid=7,fd=11))
ESTAB 0 0 192.0.2.21:41226 192.0.2.66:6443 users:(("kubelet",pid=99,fd=3))
ESTAB 0 0 192.0.2.21:41228 192.0.2.66:6443 users:(("",pid=7,fd=3)",pid=99,fd=3))
LISTEN 0 4096 127.0.0.1:10248 0.0.0.0:* users:(("kubelet",pid=7,fd=21))
`, 7)
	if !slices.Equal(got, []string{"127.0.0.1:6443", "192.0.2.1:6443"}) {
		t.Errorf("%q", got)
	}
}
