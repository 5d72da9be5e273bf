// Package step is the catalogue of changes: each type is a plan.Step (what it
// needs, does and risks, on paper) and, in the same file, its real half. The
// rules that propose them stand in rules.go. It does not wait, order, or judge:
// packages engine and plan do.
package step

import (
	"context"
	"errors"
	"fmt"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// Action is a step with its real half.
type Action interface {
	plan.Step
	// Do brings the host to the step's Effect, from its Interim too. It never
	// waits for the cluster; the engine observes until the effect is there.
	Do(context.Context, Env) error
}

// on is a step's host, and what the cluster file wants of it.
type on struct {
	ID   model.HostID
	Want *model.Host // shared, so never changed; empty for a host that leaves
}

// hostOf is a step's host with a copy of what is wanted of it.
func hostOf(want model.Cluster, id model.HostID) on {
	return on{id, want.At(id)}
}

// reach is the need of everything that touches a host.
func (o on) reach(c model.Cluster) error {
	if c.Conflict != "" {
		return needsOperator(c.Conflict)
	}
	h := c.Hosts[o.ID]
	if !h.Up() {
		return plan.UnreachedError{Host: o.ID, Why: h.Reached.Why(), Left: o.left(h)}
	}
	what, known := h.Obstacle.Get()
	if !known {
		return needsOperator(fmt.Sprintf("could not see whether %s is free to use: %s", o.ID, h.Obstacle.Why()))
	}
	if what != "" {
		return needsOperator(what)
	}
	if h.LeftOut != "" {
		return plan.CauseError{Host: o.ID, What: h.LeftOut}
	}
	if what := changedVersions(&h, o.Want); what != "" && c.IsCritical(o.ID) {
		return needsOperator(what)
	} else if what != "" {
		return plan.CauseError{Host: o.ID, What: what}
	}
	return nil
}

// left says that the file does not name the host any more and nothing of the
// cluster counts on it.
func (o on) left(h model.Host) bool {
	return o.Want.Roles == 0 && h.Roles == 0 && h.Etcd.Member.Is(model.NoMember) && h.Node.Registered.Is(false)
}

// needsOperator is a need that a person must meet.
func needsOperator(what string) error { return plan.OperatorError{Err: errors.New(what)} }

// notYet says that something of another host is not there yet, and that it
// waits for that host when that does not answer.
func notYet(c model.Cluster, id model.HostID, what string) error {
	if h := c.Hosts[id]; !h.Up() {
		return fmt.Errorf("%s: %w", what, plan.UnreachedError{Host: id, Why: h.Reached.Why()})
	}
	return errors.New(what)
}

// silenced: what runs as it should, and does not serve because etcd's packets are
// lost on the way, is not healed by a restart.
func (o on) silenced(c model.Cluster, h model.Host, v model.Component, serves bool) error {
	is, want := h.Components[v], o.Want.Components[v]
	if serves || !h.Runs(v) || !model.Same(is.Disk, want.Disk) || !model.Same(is.Running, want.Running) {
		return nil
	}
	s, found := c.Silenced(o.ID)
	if !found {
		return nil
	}
	todo := "let etcd's ports through between these hosts (a firewall, the network), then apply again"
	if s.Hangs {
		todo = "see what holds it up there (its log, the disk), or restart it by hand, then apply again"
	}
	return plan.CauseError{Host: s.Host, What: fmt.Sprintf("%s; %s", s, todo)}
}

// prepared is the need of everything that runs on a host.
func (o on) prepared(c model.Cluster) error {
	if err := o.reach(c); err != nil {
		return err
	}
	h := c.Hosts[o.ID]
	if err := o.equipped(c); err != nil {
		return err
	}
	switch {
	case !model.Same(h.System, o.Want.System) && !o.repoints(c, &h):
		return errors.New("its system settings are not applied yet")
	case !model.Same(h.Binaries, o.Want.Binaries):
		return errors.New("its binaries are not installed yet")
	}
	return nil
}

// equipped is the need of the first thing that is written on a host: what
// cannot be had is found out before anything is changed.
func (o on) equipped(c model.Cluster) error {
	if lacks, known := c.Hosts[o.ID].Packages.Get(); !known || !lacks.IsEmpty() {
		return errors.New("its packages are not installed yet")
	}
	return nil
}

func anyone(c model.Cluster, ok func(model.Host) bool) (model.HostID, bool) {
	for _, id := range c.Critical() {
		if h := c.Hosts[id]; h.Up() && ok(h) {
			return id, true
		}
	}
	return "", false
}

func holdsKeys(h model.Host) bool { return h.Keys.Is(model.SharedKeys) }
