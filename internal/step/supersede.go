package step

import (
	"context"
	"errors"
	"fmt"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// Supersede makes a host remember that the old etcd cluster is superseded: what
// it holds of that makes it no member. The survivor remembers it last, which
// ends the recovery; until then its record says so.
type Supersede struct{ recovered }

// About implements plan.Step.
func (s Supersede) About() plan.About {
	return plan.About{Kind: "supersede", Host: s.ID, Title: "record that the old etcd cluster is superseded"}
}

// Need implements plan.Step.
func (s Supersede) Need(c model.Cluster) error {
	if s.ID != s.At {
		if err := s.inPlace(c); err != nil {
			return err
		}
		if h := c.Hosts[s.ID]; runsControlPlane(&h) || mayRun(&h, model.Etcd) {
			return errors.New("its old etcd or API server still runs")
		}
		return nil
	}
	if h := c.Hosts[s.At]; !h.Runs(model.Etcd) || !h.Etcd.Healthy.Is(true) {
		return errors.New("its etcd does not serve yet")
	}
	return s.othersKnow(c)
}

// inPlace is the need of what follows the swap.
func (s recovered) inPlace(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	switch h := c.Hosts[s.At]; {
	case !h.Up():
		return plan.UnreachedError{Host: s.At, Why: h.Reached.Why()}
	case !h.Etcd.Recovery.InPlace:
		return fmt.Errorf("the new data is not in place on %s yet", s.At)
	}
	return nil
}

func (s recovered) othersKnow(c model.Cluster) error {
	if err := s.inPlace(c); err != nil {
		return err
	}
	for _, id := range parties(c) {
		if id != s.At && !s.knows(c, id) {
			return fmt.Errorf("%s does not know yet that its etcd cluster is superseded", id)
		}
	}
	return nil
}

func (s recovered) knows(c model.Cluster, id model.HostID) bool {
	return s.Recovery.Supersedes.Without(c.Hosts[id].Etcd.Superseded).IsEmpty()
}

// Effect implements plan.Step.
func (s Supersede) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		h.Etcd.Superseded = h.Etcd.Superseded.With(s.Recovery.Supersedes.List()...)
		if s.ID != s.At {
			h.Etcd.Member, h.Etcd.Healthy = model.Is(model.NoMember), model.Is(false)
		}
	})
}

// Interim implements plan.Step.
func (s Supersede) Interim(*model.Cluster) {}

// Do implements Action.
func (s Supersede) Do(ctx context.Context, e Env) error {
	return recordSuperseded(ctx, e, s.Recovery.Supersedes.List(), s.Recovery.ID)
}

// StartSurvivor starts etcd as the only member of the new cluster: with the unit
// that is there, or as a static pod with the wanted manifest.
type StartSurvivor struct{ recovered }

// About implements plan.Step.
func (s StartSurvivor) About() plan.About {
	return plan.About{Kind: "start-survivor", Host: s.ID, Title: "start etcd as the only member"}
}

// Need implements plan.Step.
func (s StartSurvivor) Need(c model.Cluster) error {
	if err := s.othersKnow(c); err != nil {
		return err
	}
	if !s.fenced(c.Hosts[s.ID].Etcd) {
		return errors.New("the hosts of the old cluster could still reach it")
	}
	if h := c.Hosts[s.ID]; s.Want.Components[model.Etcd].Pod {
		if err := s.podReady(h); err != nil {
			return err
		}
	}
	return s.still(c, s.At, model.Etcd)
}

// Effect implements plan.Step.
func (s StartSurvivor) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		switch u, w := &h.Components[model.Etcd], s.Want.Components[model.Etcd]; {
		case u.Running.Not(""):
		case w.Pod:
			*u = w
		case model.Same(u.Disk, w.Disk):
			u.Running = w.Running
		default:
			u.Running = model.Is("as it is on the disk")
		}
		h.Etcd.Data, h.Etcd.Bootstrapped, h.Etcd.Healthy, h.Etcd.Member = model.Is(true), model.Is(true), model.Is(true), model.Is(model.Voter)
	})
}

// Interim implements plan.Step.
func (s StartSurvivor) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		h.Components[model.Etcd].Running, h.Etcd.Healthy = model.Is(""), model.Is(false)
	})
}

// Do implements Action.
func (s StartSurvivor) Do(ctx context.Context, e Env) error {
	if s.Want.Components[model.Etcd].Pod {
		return Run{on: s.on, Set: []model.Component{model.Etcd}}.Do(ctx, e)
	}
	_, err := sh(ctx, e, "", `systemctl unmask -q --no-reload "$1"; systemctl enable -q --no-reload "$1"; systemctl daemon-reload
systemctl reset-failed -q "$1" 2>/dev/null || true; systemctl start --no-block "$1"`, e.Goal.Layout.Service(model.Etcd))
	return err
}

// Diagnose is what the host says of an etcd that does not come up.
func (s StartSurvivor) Diagnose(ctx context.Context, e Env) string {
	return Run{on: s.on, Set: []model.Component{model.Etcd}}.Diagnose(ctx, e)
}

// LearnSuperseded makes a host that was away, or is new, know the superseded
// etcd clusters that others know.
type LearnSuperseded struct {
	on
	IDs model.Set[string]
}

// About implements plan.Step.
func (s LearnSuperseded) About() plan.About {
	return plan.About{Kind: "learn-superseded", Host: s.ID, Title: "record which etcd clusters are superseded"}
}

// Need implements plan.Step.
func (s LearnSuperseded) Need(c model.Cluster) error { return s.reach(c) }

// Effect implements plan.Step.
func (s LearnSuperseded) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Etcd.Superseded = h.Etcd.Superseded.With(s.IDs.List()...) })
}

// Interim implements plan.Step.
func (s LearnSuperseded) Interim(*model.Cluster) {}

// Do implements Action.
func (s LearnSuperseded) Do(ctx context.Context, e Env) error {
	return recordSuperseded(ctx, e, s.IDs.List(), "")
}

// recordSuperseded records which clusters have ended, by the signed lines that
// others have, or by new ones for the cluster that goes on.
func recordSuperseded(ctx context.Context, e Env, ids []string, by string) error {
	var known []string
	for _, id := range ids {
		s, there := e.Past[id]
		if !there && by == "" {
			return fmt.Errorf("%s: no host has a signed record of the superseded etcd cluster %s any more; apply again", e.Host.Name(), id)
		}
		if !there {
			if e.Shared == nil {
				return errNoSigner
			}
			var err error
			if s, err = etcd.SignSuperseded(e.Shared.EtcdCA, id, by, time.Now()); err != nil {
				return err
			}
		}
		known = append(known, s.Line)
	}
	_, err := sh(ctx, e, "", etcd.RecordSuperseded(e.Goal.Layout.Own.Superseded), known...)
	return err
}

var errNoSigner = errors.New("what ends an etcd cluster is signed with the key of etcd's CA, and no control plane that has it answers: " +
	"bring one back, then run the same command again")

// supersededIDs are those that any host knows.
func supersededIDs(c model.Cluster) (all model.Set[string]) {
	for _, id := range c.Critical() {
		if more := c.Hosts[id].Etcd.Superseded; more != all && !more.IsEmpty() {
			all = all.With(more.List()...)
		}
	}
	return all
}

// learned is the need of a host that joins, or sets old data aside: with the
// list it cannot take that for the living cluster's.
func (o on) learned(c model.Cluster) error {
	if !supersededIDs(c).Without(c.Hosts[o.ID].Etcd.Superseded).IsEmpty() {
		return errors.New("it does not know yet which etcd clusters are superseded")
	}
	return nil
}

// learn proposes to tell those who have a part in etcd.
func learn(have, want model.Cluster) (out []plan.Step) {
	all := supersededIDs(have)
	if all.IsEmpty() {
		return nil
	}
	for _, id := range have.Critical() {
		w := want.Hosts[id]
		if h := have.Hosts[id]; h.Up() && h.Obstacle.Is("") && (w.Roles.Has(model.EtcdHost) || h.Etcd.Data.Is(true)) &&
			!all.Without(h.Etcd.Superseded).IsEmpty() {
			out = append(out, LearnSuperseded{hostOf(want, id), all})
		}
	}
	return out
}
