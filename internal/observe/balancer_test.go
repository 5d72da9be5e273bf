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
	look := func(frame string) model.Host {
		var h model.Host
		h.Components[model.Balancer].Running = model.Is("stamp")
		readBalancer(frame).leads(&h, g, false)
		return h
	}
	const in = "api cp1\napi cp2\netcd cp1\netcd cp2\ndigest aa\n"
	both := model.SetOf[model.HostID]("cp1", "cp2")
	h := look(in + "file aa\ncluster cdf8\n")
	if !h.Backends.Is(both) || !h.EtcdBackends.Is(both) || h.EtcdStale {
		t.Errorf("in use: %v, %v, stale %v", h.Backends, h.EtcdBackends, h.EtcdStale)
	}
	if h = look(in + "file aa\ncluster 0123\n"); !h.EtcdStale {
		t.Error("members of another etcd cluster are not told apart")
	}
	if h = look(in + "file bb\ncluster 0123\n"); h.EtcdBackends.Known() || h.EtcdStale {
		t.Errorf("a file that is not in use counts: %v", h.EtcdBackends)
	}
	if h = look("file aa\ncluster cdf8\n"); h.Backends.Not(model.HostSet{}) || h.EtcdBackends.Known() && h.EtcdBackends.Not(model.HostSet{}) {
		t.Errorf("what does not answer leads somewhere: %v, %v", h.Backends, h.EtcdBackends)
	}
}
