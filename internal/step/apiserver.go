package step

import (
	"errors"
	"fmt"
	"slices"

	"quorate.dev/quorate/internal/model"
)

var apiServer = traits{
	group:   apiServerAlone,
	seconds: 12,
	vital:   true,
	ready:   Run.apiReady,
	fits: func(have, want *model.Host) bool {
		return have.Ready.Is(true) && model.Same(have.EtcdVia, want.EtcdVia)
	},
	wrong: func(have *model.Host) string {
		if have.Ready.Is(false) {
			return "running, but not serving (no restart)"
		}
		return ""
	},
	runs: func(h, want *model.Host) {
		h.EtcdVia, h.Ready, h.ServesName = want.EtcdVia, model.Is(true), model.Is(true)
		if want.Components[model.APIServer].Pod {
			h.Node.Registered = model.Is(true) // its kubelet has waited for it
		}
	},
	stopped: func(h *model.Host) { h.Ready, h.ServesName = model.Is(false), model.Is(false) },
}

func (s Run) apiReady(c model.Cluster, h model.Host) error {
	if err := s.silenced(c, h, model.APIServer, h.Ready.Is(true)); err != nil {
		return err
	}
	if !c.Quorum("") {
		return errors.New("etcd has no quorum yet")
	}
	running := h.Runs(model.APIServer)
	if err := s.keptOut(c); err != nil && !running {
		return err
	}
	way := s.Want.EtcdVia.Or(model.Way{})
	if way.Kind != model.EachDirectly {
		return balancedReady(c, h, way)
	}
	uses := h.EtcdServers()
	for _, id := range way.Backends.List() {
		e := c.Hosts[id]
		if m, known := e.Etcd.Member.Get(); e.Up() && known && (m == model.Learner || m == model.NoMember) {
			// A learner refuses requests, and the etcd client goes on asking it.
			return fmt.Errorf("the etcd member of %s has no vote yet", id)
		}
		if running && !uses.Has(id) && !(e.Etcd.Member.Is(model.Voter) && e.Etcd.Healthy.Is(true)) {
			return notYet(c, id, fmt.Sprintf("the etcd member of %s is not a healthy voter yet", id))
		}
	}
	return nil
}

// balancedReady: through a balancer an API server may start as soon as that
// leads to one voter that serves. Which of the others may be used yet is the
// balancer's business.
func balancedReady(c model.Cluster, h model.Host, way model.Way) error {
	members := way.Backends
	if way.Kind == model.LocalBalancer {
		switch {
		case !h.HasDoor():
			return errors.New("the balancer that leads it to etcd does not run yet")
		case h.EtcdStale:
			return errors.New("its balancer still leads to the etcd cluster that was superseded")
		}
		members = h.EtcdBackends.Or(model.HostSet{})
	}
	if !slices.ContainsFunc(members.List(), func(id model.HostID) bool { return votes(c.Hosts[id]) }) {
		return fmt.Errorf("its way to etcd leads to no voter that serves (%s)", members)
	}
	return nil
}

// votes says that the host's etcd is a voter that serves.
func votes(h model.Host) bool {
	return h.Up() && h.Etcd.Member.Is(model.Voter) && h.Etcd.Healthy.Is(true)
}
