package step

import (
	"context"
	"errors"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// MarkJoining leaves a mark on a host that joins a living etcd, before it gets the
// cluster's keys. With keys and without the mark it could be taken for a
// founder while the older members do not answer, and found a second, empty
// etcd beside theirs.
type MarkJoining struct{ on }

// About implements plan.Step.
func (s MarkJoining) About() plan.About {
	return plan.About{Kind: "tell", Host: s.ID, Title: "mark as joining", Why: "so that it never starts an etcd cluster of its own"}
}

// Need implements plan.Step.
func (s MarkJoining) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	if !c.Quorum("") { // a mark that is wrong would forbid a founder to begin
		return errors.New("etcd has no quorum, so that it is not certain that there is one to join")
	}
	return s.learned(c)
}

// Effect implements plan.Step.
func (s MarkJoining) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Etcd.Bootstrapped = model.Is(true) })
}

// Interim implements plan.Step: the mark is there or not.
func (s MarkJoining) Interim(*model.Cluster) {}

// unmarked says that a host does not know yet that it joins a living etcd.
func (o on) unmarked(c model.Cluster) bool {
	e := c.Hosts[o.ID].Etcd
	return o.Want.Roles.Has(model.EtcdHost) && c.Bootstrapped() && !e.Bootstrapped.Is(true) && !e.Data.Is(true) &&
		e.Member.Or(model.NoMember) == model.NoMember
}

// Do implements Action.
func (s MarkJoining) Do(ctx context.Context, e Env) error {
	_, err := sh(ctx, e, "", `install -D -m 0644 /dev/null `+e.Goal.Layout.Own.Bootstrapped)
	return err
}
