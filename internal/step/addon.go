package step

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"quorate.dev/quorate/internal/addon"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// workloads are the addons that run as pods: their step is done when they are
// available, for which a node must be there.
var workloads = []string{"coredns", "metrics-server"}

// Addon applies one group of cluster objects through the API server of a host.
type Addon struct {
	on
	Name   string
	Digest string
	why    string
	names  model.Published // what the cluster's documents shall name
}

// whyAddon is why an addon is applied; "" when it is not there yet.
func whyAddon(have model.Known[model.Installed], digest string) string {
	switch is := have.Or(model.Installed{}); {
	case !have.Known():
		return "not known to be applied"
	case is == model.Installed{}:
		return ""
	case is.Digest != digest:
		return "changed"
	case is.Valid:
		return "it names another server than the endpoint"
	}
	return "its pods are not ready"
}

// About implements plan.Step.
func (s Addon) About() plan.About {
	return plan.About{Kind: "addon-" + s.Name, Host: s.ID, Title: "apply " + s.Name, Why: s.why}
}

// Need implements plan.Step.
func (s Addon) Need(c model.Cluster) error {
	if err := s.through(c); err != nil {
		return err
	}
	if err := cmp.Or(s.otherEndpoint(c), s.kubeadmReady(c)); err != nil {
		return err
	}
	if misleads(s.Name, c.Published, s.names) {
		if err := s.everybodyReaches(c); err != nil {
			return err
		}
	}
	if !slices.Contains(workloads, s.Name) {
		return nil
	}
	settled := false
	for _, id := range c.IDs() {
		h := c.Hosts[id]
		if h.Node.Registered.Is(true) && c.Addons[s.Name].Is(model.Installed{Digest: s.Digest}) && !podsRun(h) {
			return notYet(c, id, fmt.Sprintf("its objects are applied; its pods wait for the node %s", id))
		}
		settled = settled || h.Node.Configured.Is(true)
	}
	if !settled {
		return errors.New("there is no node yet to run it")
	}
	return nil
}

// podsRun says that the pods on a node can be ready, and be seen so. The kubelet
// of a control plane speaks to the API server there.
func podsRun(h model.Host) bool {
	return h.Up() && h.Node.Ready.Is(true) && (!h.Roles.Has(model.ControlPlane) || h.Runs(model.APIServer) && h.Ready.Is(true))
}

// Effect implements plan.Step.
func (s Addon) Effect(c *model.Cluster) {
	c.Addons = maps.Clone(c.Addons) // never in place: see model.Cluster.Try
	c.Addons[s.Name] = model.Valid(s.Digest)
	publishes(s.Name, &c.Published, s.names)
}

// Interim implements plan.Step.
func (s Addon) Interim(*model.Cluster) {}

// Do implements Action.
func (s Addon) Do(ctx context.Context, e Env) error {
	c, err := e.API(ctx)
	if err != nil {
		return err
	}
	if e.Goal.File.Spec.Adopted != nil && slices.Contains(byKubeadm, s.Name) {
		return s.publish(ctx, e, c)
	}
	if s.Name != goal.ClusterAddon {
		phases, err := addon.Phases(e.Goal.Base, s.Name)
		if err != nil {
			return err
		}
		if phases == nil {
			return addon.Apply(ctx, c, e.Goal.Base, s.Name)
		}
		if err := s.phases(ctx, e, phases...); err != nil {
			return err
		}
		if err := s.restartProxies(ctx, e); err != nil {
			return err
		}
		return addon.Note(ctx, c, e.Goal.Base, s.Name)
	}
	// Who left is noted before the file that still named them is replaced.
	// The observation may have been without an answer of the API server.
	left, err := e.Departed(ctx, c)
	if err != nil {
		return err
	}
	if err := c.PutDeparted(ctx, left); err != nil {
		return err
	}
	if err := c.PutCluster(ctx, e.Goal.Applied()); err != nil {
		return err
	}
	return c.NoteAddon(ctx, s.Name, s.Digest)
}

// RemoveAddon takes away what the file has switched off, through the API server
// of a host.
type RemoveAddon struct {
	on
	Name string
}

// About implements plan.Step.
func (s RemoveAddon) About() plan.About {
	return plan.About{Kind: "remove-addon-" + s.Name, Host: s.ID, Title: "remove " + s.Name, Why: "switched off in the file"}
}

// Need implements plan.Step.
func (s RemoveAddon) Need(c model.Cluster) error { return s.through(c) }

// Effect implements plan.Step.
func (s RemoveAddon) Effect(c *model.Cluster) {
	c.Addons = maps.Clone(c.Addons)
	c.Addons[s.Name] = model.NotInstalled()
}

// Interim implements plan.Step: its digest goes last.
func (s RemoveAddon) Interim(*model.Cluster) {}

// Do implements Action.
func (s RemoveAddon) Do(ctx context.Context, e Env) error {
	if s.Name != addon.AddonMetricsServer {
		return fmt.Errorf("addon %s: quorate cannot remove it", s.Name)
	}
	c, err := e.API(ctx)
	if err != nil {
		return err
	}
	return addon.RemoveMetricsServer(ctx, c, e.Goal.Base)
}

// through is the need of what is done through a host's API server.
func (o on) through(c model.Cluster) error {
	if err := o.reach(c); err != nil {
		return err
	}
	if h := c.Hosts[o.ID]; !h.Runs(model.APIServer) || !h.Ready.Is(true) {
		return errors.New("no API server answers")
	}
	return nil
}
