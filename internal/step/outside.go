package step

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// reachEndpoint proposes that before a kubelet, or kubeadm, first goes by the endpoint,
// and for a node that others have gone ahead of.
func reachEndpoint(have *model.Host, at on, c model.Cluster) []plan.Step {
	if !at.Want.EndpointUp.Is(true) || have.EndpointUp.Is(true) {
		return nil
	}
	is, wants := have.Components[model.Kubelet], at.Want.Components[model.Kubelet]
	leaves := at.leavesOurs(have)
	byKubelet := at.Want.Via.Or(model.Way{}).Kind == model.SharedBalancer && !model.Same(is.Running, wants.Running) && !leaves
	made, known := c.Addons[addon.AddonKubeadm]
	byKubeadm := known && made.Is(model.Installed{}) && at.Want.Roles.Has(model.ControlPlane)
	behind := (leaves || have.HasDoor()) && (begunLeaving(c) || !have.EndpointUp.Known())
	if !byKubelet && !byKubeadm && !behind {
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

// leavesOurs says that the endpoint's name leads to a load balancer of quorate's on a
// node that uses it, and is to lead to somebody else's.
func (o on) leavesOurs(h *model.Host) bool { return o.Want.EndpointUp.Is(true) && usesOurs(h) }

func usesOurs(h *model.Host) bool {
	return h.Named.Or(model.NoWay) != model.NoWay && (h.Runs(model.Kubelet) || h.Node.Registered.Is(true))
}

// begunLeaving says that the name is led to somebody else's balancer on some nodes
// already: going on is better than to stand between the two.
func begunLeaving(c model.Cluster) bool {
	return slices.ContainsFunc(c.IDs(), func(id model.HostID) bool {
		h := c.Hosts[id]
		return h.Roles.Node() && h.Runs(model.Kubelet) && h.Named.Is(model.NoWay)
	})
}

// outsideLeads is the need of what leads the endpoint's name away from quorate's load
// balancers. It begins on no node before each one that answers reaches an API server
// by the other balancer; with all else it stops where that is not so.
func (o on) outsideLeads(c model.Cluster) error {
	h := c.Hosts[o.ID]
	switch {
	case !o.leavesOurs(&h):
		return nil
	case h.Found:
		return needsOperator("others have set it up and its kubelet goes by a load balancer of quorate's: to lead it from there to somebody " +
			"else's is not built; put loadBalancer.kind back")
	case len(c.Serving()) == 0:
		return errors.New("no API server answers by which the endpoint's new way could be tried")
	case begunLeaving(c):
		return o.outsideReady(&h)
	}
	var lack []string
	waits := false
	for _, id := range c.IDs() {
		n := c.Hosts[id]
		switch {
		case !n.Up() || n.LeftOut != "" || !n.Roles.Node() || !usesOurs(&n):
		case n.EndpointUp.Is(false):
			lack = append(lack, string(id)+" (the endpoint "+n.EndpointUp.Why()+")")
		default:
			waits = waits || !n.EndpointUp.Known()
		}
	}
	switch n := len(lack); {
	case n > 3:
		lack = append(lack[:2], fmt.Sprintf("%d more (see quorate status)", n-2))
	case n == 0 && waits:
		return errors.New("it was not seen yet from each node that the endpoint leads to an API server past quorate's load balancers")
	case n == 0:
		return nil
	}
	return needsOperator("the endpoint's name is to lead past quorate's load balancers, and past them no API server is reached from " +
		strings.Join(lack, ", ") + ". Set up the name and somebody else's load balancer (quorate status says what it needs), or put " +
		"loadBalancer.kind back, then apply again; until then nothing is changed")
}
