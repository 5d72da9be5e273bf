package step

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/internal/model"
)

var apiServer = traits{
	group:   apiServerAlone,
	seconds: 12,
	vital:   true,
	ready:   Run.apiReady,
	fits: func(have, want *model.Host) bool {
		return have.Ready.Is(true) && model.Same(have.EtcdServers, want.EtcdServers)
	},
	wrong: func(have *model.Host) string {
		if have.Ready.Is(false) {
			return "runs, but does not serve (no restart)"
		}
		return ""
	},
	runs:    func(h, want *model.Host) { h.EtcdServers, h.Ready = want.EtcdServers, model.Is(true) },
	stopped: func(h *model.Host) { h.Ready = model.Is(false) },
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
	for _, id := range s.Want.EtcdServers.Or(model.HostSet{}).List() {
		e := c.Hosts[id]
		if m, known := e.Etcd.Member.Get(); e.Up() && known && (m == model.Learner || m == model.NoMember) {
			// A learner refuses requests, and the etcd client goes on asking it.
			return fmt.Errorf("the etcd member of %s has no vote yet", id)
		}
		if running && !h.EtcdServers.Or(model.HostSet{}).Has(id) && !(e.Etcd.Member.Is(model.Voter) && e.Etcd.Healthy.Is(true)) {
			return notYet(c, id, fmt.Sprintf("the etcd member of %s is not a healthy voter yet", id))
		}
	}
	return nil
}
