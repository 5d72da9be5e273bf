package step

import (
	"context"
	"errors"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// Forget takes a host that was seen clean off the list of those that left.
type Forget struct {
	on
	file model.Known[model.Installed] // the file that does not name it, by its digest
}

// About implements plan.Step. The list is written as a whole.
func (s Forget) About() plan.About {
	return plan.About{Kind: "forget", Host: s.ID, Title: "forget it", Why: "it was removed from the file and is clean",
		Exclusive: "hosts that left"}
}

// Need implements plan.Step.
func (s Forget) Need(c model.Cluster) error {
	h := c.Hosts[s.ID]
	switch {
	case len(c.Serving()) == 0:
		return errors.New("no API server answers")
	case !h.Clean.Is(true):
		return errors.New("it has not been seen clean")
	case !model.Same(c.Addons[goal.ClusterAddon], s.file):
		return errors.New("the file kept in the cluster still names it")
	}
	return nil
}

// Effect implements plan.Step.
func (s Forget) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Departed = model.Is(false) })
}

// Interim implements plan.Step.
func (s Forget) Interim(*model.Cluster) {}

// Do implements Action.
func (s Forget) Do(ctx context.Context, e Env) error {
	c, err := e.API(ctx)
	if err != nil {
		return err
	}
	return c.DropDeparted(ctx, string(s.ID))
}

// forget proposes to forget who left and is clean.
func forget(have, want model.Cluster) (out []plan.Step) {
	for _, id := range have.IDs() {
		_, wanted := want.Hosts[id]
		if h := have.Hosts[id]; !wanted && h.Clean.Is(true) && h.Departed.Is(true) {
			out = append(out, Forget{on{ID: id, Want: &model.Host{}}, want.Addons[goal.ClusterAddon]})
		}
	}
	return out
}
