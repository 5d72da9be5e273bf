package step

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// Drain moves the pods of a node that leaves elsewhere: no new ones come, and
// those that are there are evicted, as their disruption budgets allow it.
type Drain struct{ on }

// Draining is what a person says of all drains.
type Draining struct {
	Until time.Time // from then on it is given up
	// Force ends pods that nothing starts anew, and goes on when time is up.
	Force bool
}

// ErrHeld says that a person must act: trying again does not help.
var ErrHeld = errors.New("held up")

// About implements plan.Step.
func (s Drain) About() plan.About {
	return plan.About{Kind: "drain", Host: s.ID, Title: "drain", Why: leaves, Limit: plan.DrainLimit}
}

// undrained says that pods may run on a leaving host that a kubelet can still
// end in order. Of a dead one, or one whose kubelet does not reach the API, the
// cluster moves them by itself.
func (o on) undrained(h model.Host) bool {
	return h.Up() && h.Node.Registered.Is(true) && !h.Node.Ready.Is(false) && h.Runs(model.Kubelet) && !h.Node.Drained.Is(true)
}

// Need implements plan.Step.
func (s Drain) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	h := c.Hosts[s.ID]
	switch {
	case len(c.Serving()) == 0:
		return errors.New("no API server answers")
	case !h.Node.Registered.Is(true):
		return errors.New("it is not a node")
	case !h.Runs(model.Kubelet):
		return errors.New("its kubelet is not running")
	}
	place := false
	for id, o := range c.Hosts {
		if id == s.ID || !o.Roles.Node() {
			continue
		}
		if o.Up() && o.Node.Registered.Is(false) {
			return errors.New("not all nodes that could take its pods are ready yet")
		}
		place = place || o.Node.Registered.Is(true)
	}
	if !place {
		return errors.New("there is no other node to take its pods")
	}
	return nil
}

// Effect implements plan.Step.
func (s Drain) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Node.Drained, h.Node.Configured = model.Is(true), model.Is(false) })
}

// Interim implements plan.Step.
func (s Drain) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Node.Configured = model.Is(false) })
}

// Do implements Action.
func (s Drain) Do(ctx context.Context, e Env) error {
	c, err := e.API(ctx)
	if err != nil {
		return err
	}
	node := string(s.ID)
	pods, err := c.PodsOn(ctx, node)
	if err != nil {
		return err
	}
	if naked := named(pods, func(p kubeapi.Pod) bool { return p.Naked && !p.Ending }); naked != "" && !e.Drain.Force {
		return fmt.Errorf("%w: no controller would recreate these pods: %s; move or delete them, or apply with --force-drain, which "+
			"deletes them", ErrHeld, naked)
	}
	changed, err := c.Cordon(ctx, node)
	if err != nil {
		return err
	}
	var stay []string
	for _, p := range pods {
		why := "it is ending"
		if !p.Ending {
			if why, err = c.Evict(ctx, p); err != nil {
				return err
			}
		}
		if why == "" {
			why = "it is terminating"
		}
		stay = append(stay, fmt.Sprintf("%s (%s)", p, why))
	}
	ready, err := c.NodeReady(ctx, node)
	switch {
	case err != nil:
		return err
	case len(stay) > 0 && !ready: // nobody there ends them
		e.Say("%s: its kubelet no longer reports to the API, so these pods are not waited for: %s", s.ID, strings.Join(stay, ", "))
		return c.GiveUpDrain(ctx, node)
	case len(stay) == 0 && changed:
		return fmt.Errorf("%w: a pod may still be on its way", ErrNotYet)
	case len(stay) == 0:
		return nil
	case time.Now().Before(e.Drain.Until):
		return fmt.Errorf("%w: pods are still there: %s", ErrNotYet, strings.Join(stay, ", "))
	case !e.Drain.Force:
		return fmt.Errorf("%w: drain timed out; pods remaining: %s; the node stays cordoned. "+
			"Make room for them, or apply with a longer --drain-timeout, or with --force-drain, which proceeds without them", ErrHeld,
			strings.Join(stay, ", "))
	}
	e.Say("%s: drain timed out; proceeding without: %s", s.ID, strings.Join(stay, ", "))
	return c.GiveUpDrain(ctx, node)
}

func named(pods []kubeapi.Pod, which func(kubeapi.Pod) bool) string {
	var out []string
	for _, p := range pods {
		if which(p) {
			out = append(out, p.String())
		}
	}
	return strings.Join(out, ", ")
}
