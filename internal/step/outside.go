package step

import (
	"context"
	"errors"
	"fmt"

	"quorate.dev/quorate/internal/addon"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// ReachEndpoint changes nothing: it is where the engine waits until the load balancer
// of somebody else leads a host to an API server, once one answers.
type ReachEndpoint struct{ on }

// About implements plan.Step.
func (s ReachEndpoint) About() plan.About {
	return plan.About{Kind: "reach-endpoint", Host: s.ID, Title: "reach an API server by the endpoint",
		Why: "its load balancer is somebody else's; quorate waits until that leads there"}
}

// Need implements plan.Step.
func (s ReachEndpoint) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	if len(c.Serving()) == 0 {
		return errors.New("no API server answers yet")
	}
	return nil
}

// Effect implements plan.Step.
func (s ReachEndpoint) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.EndpointUp = s.Want.EndpointUp })
}

// Interim implements plan.Step.
func (s ReachEndpoint) Interim(*model.Cluster) {}

// Do implements Action.
func (s ReachEndpoint) Do(context.Context, Env) error { return nil }

// Diagnose says what is to be done at the load balancer.
func (s ReachEndpoint) Diagnose(_ context.Context, e Env) string {
	up := e.Have.Hosts[s.ID].EndpointUp
	got := up.Why()
	if !up.Known() {
		got = "could not be tried: " + got
	}
	return fmt.Sprintf("tried from %s, the endpoint %s %s\n%s", s.ID, e.Goal.Base.Endpoint(), got, e.Goal.OutsideNeeds())
}

// reachEndpoint proposes that before a kubelet, or kubeadm, first goes by the endpoint.
func reachEndpoint(have *model.Host, at on, c model.Cluster) []plan.Step {
	if !at.Want.EndpointUp.Is(true) || have.EndpointUp.Is(true) || at.staysOurs(c) != nil {
		return nil
	}
	is, wants := have.Components[model.Kubelet], at.Want.Components[model.Kubelet]
	byKubelet := at.Want.Via.Or(model.Way{}).Kind == model.SharedBalancer && !model.Same(is.Running, wants.Running)
	made, known := c.Addons[addon.AddonKubeadm]
	byKubeadm := known && made.Is(model.Installed{}) && at.Want.Roles.Has(model.ControlPlane)
	if !byKubelet && !byKubeadm {
		return nil
	}
	return []plan.Step{ReachEndpoint{at}}
}

// outsideReady is the need of what goes by somebody else's load balancer.
func (o on) outsideReady(h *model.Host) error {
	if o.Want.EndpointUp.Is(true) && !h.EndpointUp.Is(true) {
		return errors.New("the endpoint, whose load balancer is somebody else's, does not lead to an API server from there yet")
	}
	return nil
}

// staysOurs: a running cluster whose endpoint leads to balancers of its own cannot be
// led to somebody else's: what the name means there shows only once it has changed.
func (o on) staysOurs(c model.Cluster) error {
	if !o.Want.EndpointUp.Is(true) {
		return nil
	}
	for _, id := range c.IDs() {
		h := c.Hosts[id]
		if kind := h.Via.Or(model.Way{}).Kind; kind == model.LocalBalancer || kind == model.SharedAddress || h.HasDoor() || h.Carries() {
			return needsOperator("the endpoint leads to load balancers of quorate's (" + string(id) + "), and a running cluster cannot be led " +
				"to somebody else's yet; put loadBalancer.kind back")
		}
	}
	return nil
}
