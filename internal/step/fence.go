package step

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// Unfence lets hosts reach a host's etcd again that were kept out since a
// recovery, now that nothing of the old cluster is left on them.
type Unfence struct {
	on
	Who model.HostSet
}

// About implements plan.Step.
func (s Unfence) About() plan.About {
	return plan.About{Kind: "unfence", Host: s.ID, Title: "let " + s.Who.String() + " reach its etcd again",
		Why: "fenced since a recovery; no old data is left there"}
}

// Need implements plan.Step.
func (s Unfence) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	for _, id := range s.Who.List() {
		if !harmless(c, id) {
			return fmt.Errorf("%s may still hold data of the old etcd cluster", id)
		}
	}
	return nil
}

// Effect implements plan.Step.
func (s Unfence) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Etcd.Fenced = h.Etcd.Fenced.Without(s.Who) })
}

// Interim implements plan.Step: the fence is the old or the new one.
func (s Unfence) Interim(*model.Cluster) {}

// Do implements Action.
func (s Unfence) Do(ctx context.Context, e Env) error {
	var left []string
	for id, addresses := range e.Fence {
		if !s.Who.Has(id) {
			left = append(left, addresses...)
		}
	}
	return writeFence(ctx, e, left)
}

// writeFence keeps hosts out of a host's etcd, by their addresses; none ends it.
func writeFence(ctx context.Context, e Env, addresses []string) error {
	at := e.Goal.Layout
	script := host.Script{What: "drop the fence", Text: "set -eu\n" + etcd.DropFence(at.Own)}
	if len(addresses) > 0 {
		script = host.Script{What: "put up the fence", Text: "set -eu\n" + etcd.PutFence(at.Own.Fence),
			Stdin: strings.NewReader(etcd.Fence(at.Etcd, addresses))}
	}
	_, err := host.Output(ctx, e.Host, script)
	return said(e.Host, "fence", err)
}

// PutFence keeps all others of the old cluster from the survivor's etcd: those
// that are silent now may come back at any time.
type PutFence struct{ recovered }

// About implements plan.Step.
func (s PutFence) About() plan.About {
	return plan.About{Kind: "fence", Host: s.ID, Title: "keep " + s.Recovery.Others.String() + " from its etcd",
		Why: "they may hold data of the old etcd cluster"}
}

// Need implements plan.Step: the old etcd there is cut off with them.
func (s PutFence) Need(c model.Cluster) error {
	if err := s.chosen(c); err != nil {
		return err
	}
	if e := c.Hosts[s.ID]; !e.Etcd.Recovery.InPlace && !(e.Etcd.Recovery.Staged && e.Components[model.Etcd].Running.Is("")) {
		return errors.New("the new data is not ready yet, or its old etcd still runs")
	}
	return nil
}

// fenced says that the survivor is fenced as far as it can be.
func (s recovered) fenced(e model.EtcdState) bool {
	return e.Recovery.Unfenced || s.Recovery.Others.Without(e.Fenced).IsEmpty()
}

// Effect implements plan.Step.
func (s PutFence) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		if !s.fenced(h.Etcd) {
			h.Etcd.Fenced = h.Etcd.Fenced.With(s.Recovery.Others.List()...)
		}
	})
}

// Interim implements plan.Step.
func (s PutFence) Interim(*model.Cluster) {}

// Do implements Action. A host without a working nft must not stay without etcd
// for that.
func (s PutFence) Do(ctx context.Context, e Env) error {
	addresses := slices.Clone(e.Recovery.Outside)
	for _, more := range e.Fence {
		addresses = append(addresses, more...)
	}
	err := writeFence(ctx, e, addresses)
	if err == nil || errors.Is(err, host.ErrUnreachable) || ctx.Err() != nil {
		return err
	}
	e.Say("the old hosts cannot be kept from the new etcd (%v): leave those off that are off until apply can be run right "+
		"after they start", err)
	_, err = sh(ctx, e, "", `install -D -m 0644 /dev/null "$1"`, e.Goal.Layout.Own.Unfenced)
	return err
}

// unfence proposes to let those in again that have become harmless.
func unfence(have, _ model.Cluster) (out []plan.Step) {
	for _, at := range have.Critical() {
		var who []model.HostID
		for _, id := range have.Hosts[at].Etcd.Fenced.List() {
			if harmless(have, id) {
				who = append(who, id)
			}
		}
		if len(who) > 0 && have.Hosts[at].Up() {
			out = append(out, Unfence{on{at, &model.Host{}}, model.SetOf(who...)})
		}
	}
	return out
}

// harmless says that nothing of an old etcd cluster is left on a host: no data,
// nor an API server that asks who has some.
func harmless(c model.Cluster, id model.HostID) bool {
	clear := func(id model.HostID) bool {
		e := c.Hosts[id].Etcd
		return c.Hosts[id].Up() && (e.Data.Is(false) || e.Member.Is(model.Voter) || e.Member.Is(model.Learner))
	}
	h := c.Hosts[id]
	if h.EtcdStale && h.Runs(model.APIServer) {
		return false
	}
	return clear(id) && (!h.Runs(model.APIServer) || !slices.ContainsFunc(h.EtcdServers().List(),
		func(e model.HostID) bool { return !clear(e) }))
}

// keptOut says whose etcd does not let a host in.
func (o on) keptOut(c model.Cluster) error {
	for _, id := range c.Critical() {
		if h := c.Hosts[id]; h.Up() && h.Etcd.Fenced.Has(o.ID) {
			return fmt.Errorf("%s does not let it reach its etcd yet", id)
		}
	}
	return nil
}
