package observe

import (
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
