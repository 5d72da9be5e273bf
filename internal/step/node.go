package step

import (
	"context"
	"errors"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// ConfigureNode gives a registered node its pod CIDR and labels, opens it again when
// it was to leave and stays, and is done when the node is Ready.
type ConfigureNode struct{ on }

// About implements plan.Step.
func (s ConfigureNode) About() plan.About {
	return plan.About{Kind: "settle", Host: s.ID, Title: "configure the node", Why: "pod CIDR, labels, Ready"}
}

// Need implements plan.Step.
func (s ConfigureNode) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	h := c.Hosts[s.ID]
	switch {
	case !h.Node.Registered.Is(true):
		return errors.New("it is not registered yet")
	case len(c.Serving()) == 0:
		return errors.New("no API server answers")
	case !h.Runs(model.Kubelet):
		return errors.New("its kubelet is not running")
	case h.Roles.Has(model.ControlPlane) && !(h.Runs(model.APIServer) && h.Ready.Is(true)):
		return errors.New("its own API server, to which its kubelet speaks, does not answer yet")
	}
	return nil
}

// Effect implements plan.Step.
func (s ConfigureNode) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		h.Node.Configured, h.Node.Drained = model.Is(true), model.Is(false)
		if s.Want.Node.Ready.Known() {
			h.Node.Ready = model.Is(true)
		}
	})
}

// Interim implements plan.Step.
func (s ConfigureNode) Interim(*model.Cluster) {}

// noNode is a host that is no node.
var noNode = model.NodeState{Registered: model.Is(false), Ready: model.Is(false), Configured: model.Is(false), Drained: model.Is(false)}

// DeleteNode takes a host that leaves out of the API.
type DeleteNode struct{ on }

// About implements plan.Step.
func (s DeleteNode) About() plan.About {
	return plan.About{Kind: "delete-node", Host: s.ID, Title: "delete the node", Why: leaves}
}

// Need implements plan.Step.
func (s DeleteNode) Need(c model.Cluster) error {
	if len(c.Serving()) == 0 {
		return errors.New("no API server answers")
	}
	h := c.Hosts[s.ID]
	if h.Up() && h.Runs(model.Kubelet) {
		return errors.New("its kubelet is still running")
	}
	if h.Found && c.Addons[goal.ClusterAddon].Is(model.Installed{}) { // its node is all that says where it is
		return errors.New("the cluster does not keep yet that it left")
	}
	return nil
}

// Effect implements plan.Step.
func (s DeleteNode) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Node = noNode })
}

// Interim implements plan.Step.
func (s DeleteNode) Interim(*model.Cluster) {}

// Do implements Action.
func (s ConfigureNode) Do(ctx context.Context, e Env) error {
	h, err := s.goal(e)
	if err != nil {
		return err
	}
	c, err := e.API(ctx)
	if err != nil {
		return err
	}
	if h.Node.PodCIDR != "" {
		if err := c.SetPodCIDR(ctx, h.Node.Name, h.Node.PodCIDR); err != nil {
			return err
		}
	}
	if h.Node.ControlPlane {
		if err := c.LabelControlPlane(ctx, h.Node.Name); err != nil {
			return err
		}
	}
	if err := c.Configure(ctx, h.Node.Name, e.Goal.NodeSettings(s.ID)); err != nil {
		return err
	}
	return c.Uncordon(ctx, h.Node.Name)
}

// Do implements Action.
func (s DeleteNode) Do(ctx context.Context, e Env) error {
	c, err := e.API(ctx)
	if err != nil {
		return err
	}
	return c.DeleteNode(ctx, string(s.ID))
}
