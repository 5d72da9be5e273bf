package step

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
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
	return plan.About{Kind: "unfence", Host: s.ID, Title: "let " + s.Who.String() + " reach its etcd again", Why: "kept out since a recovery; no old data is left there"}
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
	return PutFence(ctx, e.Host, e.Goal.Layout, left)
}

// PutFence keeps hosts out of a host's etcd, by their addresses; none ends it.
func PutFence(ctx context.Context, h host.Host, at layout.Layout, addresses []string) error {
	cmd := host.Cmd{Args: []string{"sh", "-euc", etcd.DropFence(at.Own.Fence)}}
	if len(addresses) > 0 {
		cmd = host.Cmd{Args: []string{"sh", "-euc", etcd.PutFence(at.Own.Fence)}, Stdin: strings.NewReader(etcd.Fence(at.Etcd, addresses))}
	}
	_, err := h.Run(ctx, cmd)
	var exit *host.ExitError
	if errors.As(err, &exit) && strings.TrimSpace(exit.Stderr) != "" {
		err = fmt.Errorf("%s: %s", h.Name(), strings.TrimSpace(exit.Stderr))
	}
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
	return clear(id) && (!h.Runs(model.APIServer) || !slices.ContainsFunc(h.EtcdServers().List(), func(e model.HostID) bool { return !clear(e) }))
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
