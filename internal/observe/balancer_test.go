package observe

import (
	"slices"
	"testing"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
)

// What a host's quorate-lb has in use counts, and only while its file is that.
func TestBalancerLeads(t *testing.T) {
	g := &goal.Goal{}
	g.Base.EtcdCluster = "cdf8"
	look := func(health, sum, cluster string) model.Host {
		var h model.Host
		h.Components[model.Balancer].Running = model.Is("stamp")
		readBalancer(health, `      clusterID: "`+cluster+`"`, sum).leads(&h, g, false)
		return h
	}
	const in = `{"status":"ok","digest":"aa","backends":{"api":["cp1","cp2"],"etcd":["cp1","cp2"]}}`
	both := model.SetOf[model.HostID]("cp1", "cp2")
	h := look(in, "aa", "cdf8")
	if !h.Backends.Is(both) || !h.EtcdBackends.Is(both) || h.EtcdStale {
		t.Errorf("in use: %v, %v, stale %v", h.Backends, h.EtcdBackends, h.EtcdStale)
	}
	if h = look(in, "aa", "0123"); !h.EtcdStale {
		t.Error("members of another etcd cluster are not told apart")
	}
	if h = look(in, "bb", "0123"); h.EtcdBackends.Known() || h.EtcdStale {
		t.Errorf("a file that is not in use counts: %v", h.EtcdBackends)
	}
	if h = look("", "aa", "cdf8"); h.Backends.Not(model.HostSet{}) || h.EtcdBackends.Known() && h.EtcdBackends.Not(model.HostSet{}) {
		t.Errorf("what does not answer leads somewhere: %v, %v", h.Backends, h.EtcdBackends)
	}
}

// A virtual router that does not take part for want of its rights is none: a restart
// helps. Of one that does not for another reason nothing is known.
func TestBalancerRouter(t *testing.T) {
	look := func(state, reason string) Balancer {
		return readBalancer(`{"digest":"aa","out":{"api":["cp2"]},"virtual":[{"addresses":["10.0.0.100/24","none"],"state":"`+state+
			`","reason":"`+reason+`"}]}`, "", "aa")
	}
	for _, state := range []string{"backup", "active"} {
		if b := look(state, "it began"); !b.Router.Is(true) || !slices.Equal(b.Virtual, []string{"10.0.0.100"}) ||
			!slices.Equal(b.Out, []string{"cp2"}) {
			t.Errorf("%s: %+v", state, b)
		}
	}
	if b := look("off", "socket: operation not permitted"); !b.Router.Is(false) {
		t.Errorf("without the right: %v", b.Router)
	}
	if b := look("off", "eth0 is down"); b.Router.Known() || b.Router.Why() != "eth0 is down" {
		t.Errorf("an interface that is down: %v", b.Router)
	}
	if b := readBalancer(`{"digest":"aa"}`, "", "aa"); !b.Router.Is(false) || b.Virtual != nil {
		t.Errorf("none: %+v", b)
	}
}
