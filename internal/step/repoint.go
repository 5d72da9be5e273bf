package step

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/topology"
)

// repoints says that the endpoint's name is to lead elsewhere on a node that uses
// it: to its own load balancer, or away from that. The hosts file changes last, once
// the new way is there. Where clients go to one fixed server, nobody uses the name
// yet.
func (o on) repoints(c model.Cluster, h *model.Host) bool {
	return h.Runs(model.Kubelet) && h.System.Known() && h.System.Or(model.Installed{}).Digest != "" &&
		!model.Same(h.System, o.Want.System) && (wantsDoor(o.Want) != h.HasDoor() || o.leavesOurs(h)) && !leavesServer(c, o.ID)
}

// follows says that the kubelet goes to the API by the endpoint's name, as it is
// to do, and looks it up whenever it connects.
func follows(h, want *model.Host) bool {
	is, wanted := h.Components[model.Kubelet], want.Components[model.Kubelet]
	byName := func(w model.Known[model.Way]) bool {
		by, known := w.Get()
		return known && (by.Kind == model.LocalBalancer || by.Kind == model.SharedAddress || by.Kind == model.SharedBalancer)
	}
	return h.Runs(model.Kubelet) && model.Same(is.Running, wanted.Running) && byName(h.Via) && byName(want.Via)
}

// renamed is what follows once the endpoint's name leads where it is to lead.
func (s System) renamed(h *model.Host) {
	if follows(h, s.Want) && !throughOthers(h.Via, s.Want.Via) {
		h.Via = s.Want.Via
	}
	if s.Want.Named.Known() {
		h.Named = s.Want.Named
	}
	if s.Want.EndpointUp.Is(true) {
		forgetProxy(h, s.Want)
	}
}

// nameReady: where the endpoint's name leads, an API server must be reached from
// there. Open connections stay with what they go through. While no API server
// answers that is not known: it may be slow for a moment.
func (o on) nameReady(c model.Cluster) error {
	h := c.Hosts[o.ID]
	toDoor := wantsDoor(o.Want) && o.repoints(c, &h)
	fromDoor := !wantsDoor(o.Want) && h.HasDoor()
	toShared := o.Want.Named.Is(model.SharedAddress) && !h.Named.Is(model.SharedAddress)
	switch {
	case !h.Runs(model.Kubelet) || !toDoor && !fromDoor && !toShared: // nobody uses the name yet, or it stays as it is
		return nil
	case len(c.Serving()) == 0:
		return errors.New("no API server answers by which the endpoint's new way could be tried")
	case toDoor:
		return errors.New("its own load balancer does not run yet")
	}
	way := o.Want.Via.Or(model.Way{})
	if way.Kind == model.OwnServer { // the name is for people and for what else uses it there
		if !shares(c) || o.Want.EndpointUp.Is(true) {
			return nil
		}
		way = model.Way{Kind: model.SharedAddress}
	}
	if id, runs := anyone(c, func(h model.Host) bool { return h.Roles.Has(model.LoadBalancerHost) && h.HasDoor() }); runs &&
		way.Kind == model.SharedAddress {
		return fmt.Errorf("%s still has quorate-lb in the place of HAProxy", id)
	}
	if !c.Leads(o.ID, way) {
		return fmt.Errorf("no API server is reached by the way that the endpoint's name is to lead (%s)", way)
	}
	return nil
}

// shares says that some hosts are there to balance for the others.
func shares(c model.Cluster) bool {
	return slices.ContainsFunc(c.Critical(), func(id model.HostID) bool { return c.Hosts[id].Roles.Has(model.LoadBalancerHost) })
}

// restartProxy: a kube-proxy that is a pod has a hosts file of its own, which the
// kubelet copies whenever it starts the container. Its rules stay while it restarts.
func (s System) restartProxy(ctx context.Context, e Env, old, block string) error {
	have := e.Have.Hosts[s.ID]
	if !e.Goal.Layout.Kubeadm || !have.Runs(model.Kubelet) || topology.LeadsTo(old, e.Goal.File.EndpointHost()) == topology.LeadsTo(block,
		e.Goal.File.EndpointHost()) {
		return nil
	}
	socket := "unix://" + e.Goal.Layout.Containerd.Socket
	_, err := sh(ctx, e, "", `ids=$("$1" -r "$2" -i "$2" ps -q --name '^kube-proxy$') || exit 1
[ -z "$ids" ] || "$1" -r "$2" -i "$2" stop $ids >/dev/null`, e.Goal.Layout.Program("crictl"), socket)
	if err != nil {
		return fmt.Errorf("restart kube-proxy, which must read the hosts file anew: %w", err)
	}
	return nil
}
