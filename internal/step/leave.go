package step

import (
	"cmp"
	"errors"
	"fmt"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// leaves is why a host is taken out.
const leaves = "removed from the file or its role changed"

// stays says that a host keeps the role in which it serves.
func stays(h model.Host) bool {
	return h.Roles.Has(model.ControlPlane) || h.Roles != 0 && !h.Runs(model.APIServer)
}

// unused says who among the staying API servers still uses the etcd of a host
// that leaves.
func (o on) unused(c model.Cluster) error {
	for _, id := range c.Critical() {
		if h := c.Hosts[id]; id != o.ID && stays(h) && h.Up() && (h.EtcdServers().Has(o.ID) || !h.EtcdBackends.Known() &&
			h.EtcdVia.Is(model.Way{Kind: model.LocalBalancer})) {
			return fmt.Errorf("the API server of %s still uses its etcd", id)
		}
	}
	return nil
}

// Stop ends the services of a host that leaves. etcd goes on until the member
// is off the list: a member that stops first counts as a lost one.
type Stop struct{ on }

// About implements plan.Step.
func (s Stop) About() plan.About {
	return plan.About{Kind: "stop", Host: s.ID, Title: "stop its services", Why: leaves}
}

// Need implements plan.Step.
func (s Stop) Need(c model.Cluster) error {
	if err := cmp.Or(s.reach(c), s.markedFirst(c)); err != nil {
		return err
	}
	if serving := c.Serving(); len(serving) == 0 || len(serving) == 1 && serving[0] == s.ID {
		return errors.New("no other API server answers")
	}
	if err := s.onlyServer(c); err != nil {
		return err
	}
	h := c.Hosts[s.ID]
	if s.undrained(h) {
		return errors.New("it has not been drained yet")
	}
	if err := lastShared(c, &h); err != nil {
		return err
	}
	if !h.Runs(model.APIServer) {
		return nil
	}
	var first model.HostID
	for id, h := range c.Hosts {
		if h.LeftOut != "" {
			continue // its front door is not led elsewhere in this run; that it is cut off is judged
		}
		if id != s.ID && stays(h) && h.Up() && h.HasDoor() && h.Backends.Or(model.HostSet{}).Has(s.ID) && (first == "" || id < first) {
			first = id
		}
	}
	if first != "" {
		return fmt.Errorf("the front door of %s still leads to it", first)
	}
	return s.unused(c)
}

// onlyServer: who was found stays with the server that it was made to use.
func (s Stop) onlyServer(c model.Cluster) error {
	by := model.Way{Kind: model.FixedServer, Backends: model.SetOf(s.ID)}
	for _, id := range c.IDs() {
		if h := c.Hosts[id]; id != s.ID && h.Found && stays(h) && h.Up() && h.Via.Is(by) {
			return needsOperator(fmt.Sprintf("%s goes to the API by the address of %s alone. Lead it elsewhere first: without an endpoint, give "+
				"the cluster one (controlPlaneEndpoint and loadBalancer in the file); if that address is the endpoint, move it to another machine",
				id, s.ID))
		}
	}
	return nil
}

// Effect implements plan.Step.
func (s Stop) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		for v := range h.Components {
			if !table[v].stays {
				ended(h, model.Component(v))
			}
		}
		h.Ready, h.ServesName, h.Via, h.EtcdVia = model.Is(false), model.Is(false), model.Is(model.Way{}), model.Is(model.Way{})
		h.Backends, h.EtcdBackends, h.EtcdStale, h.VIPHeld = model.Is(model.HostSet{}), model.Is(model.HostSet{}), false, model.Is(false)
		h.Router = model.Is(false)
	})
}

// Interim implements plan.Step.
func (s Stop) Interim(c *model.Cluster) { s.Effect(c) }

// markedFirst: by its mark a run that was cut short goes on, and takes nothing off a
// host of another cluster.
func (o on) markedFirst(c model.Cluster) error {
	if h := c.Hosts[o.ID]; h.Found && h.Marked.Is(false) {
		return errors.New("it is not marked as the cluster's yet")
	}
	return nil
}

// Clean takes everything off a host that quorate put there, and off one that was
// found what the cluster did. Its copies of the
// cluster's keys, and etcd's data of the living cluster, are destroyed once
// they were seen elsewhere; the rest is kept.
type Clean struct {
	on
	Keep  bool // keys and data, too
	found bool // others have set it up
}

// About implements plan.Step.
func (s Clean) About() plan.About {
	why := "; its copies of the cluster's keys and data are destroyed (not with --keep-keys), the rest is kept under "
	if s.Keep {
		why = "; what it held, keys included, is kept under "
	}
	title, why := "remove quorate's components", leaves+why+layout.Quorate().Kept
	if s.found {
		title, why = "remove the cluster's components", why+"; its runtime, packages and pod network are left, and named"
	}
	return plan.About{Kind: "clean", Host: s.ID, Title: title, Why: why, Irreversible: true}
}

// Need implements plan.Step.
func (s Clean) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	h := c.Hosts[s.ID]
	switch {
	case s.found && s.Want.Roles != 0: // it would not be bare enough to join as a new one
		return needsOperator("others have set it up, and its role cannot be changed while it is in the file: take it out and apply, then " +
			"let it join in its new role with kubeadm, and add it to the file again")
	case !h.Etcd.Member.Is(model.NoMember):
		return errors.New("it is still an etcd member")
	case h.Runs(model.APIServer):
		return errors.New("its API server is still running")
	case h.Node.Registered.Or(true):
		return errors.New("it is still a node of the cluster")
	}
	if err := cmp.Or(s.markedFirst(c), lastShared(c, &h)); err != nil {
		return err
	}
	if _, ok := anyone(c, holdsKeys); !ok {
		return errors.New("no reachable control plane holds the cluster's keys")
	}
	for _, id := range c.Critical() {
		if id != s.ID && holdsKeys(c.Hosts[id]) && c.Hosts[id].Roles != 0 {
			return nil
		}
	}
	return errors.New("it is the last host that holds the cluster's keys")
}

// Effect implements plan.Step.
func (s Clean) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { *h = bare(*h) })
}

// Interim implements plan.Step.
func (s Clean) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		for v := range h.Components {
			h.Components[v].Running = model.Is("")
		}
		h.Etcd.Healthy = model.Is(false)
	})
}

// bare is a host with nothing of quorate on it.
func bare(h model.Host) model.Host {
	b := model.Host{Roles: h.Roles, Address: h.Address, Reached: h.Reached, Obstacle: h.Obstacle, Packages: h.Packages,
		System: model.NotInstalled(), Binaries: model.Is(""), Images: model.Is(model.Set[string]{}), Keys: model.Is(model.NoKeys),
		Certs: model.NotInstalled(),
		Etcd:  model.EtcdState{Data: model.Is(false), Bootstrapped: model.Is(false), Member: model.Is(model.NoMember), Healthy: model.Is(false)},
		Ready: model.Is(false), Via: model.Is(model.Way{}), EtcdVia: model.Is(model.Way{}), Backends: model.Is(model.HostSet{}),
		EtcdBackends: model.Is(model.HostSet{}), ServesName: model.Is(false), AdminServer: model.Is(""), ProxyServer: model.Is(""),
		EtcdSilent: model.Is(model.HostSet{}), VIPHeld: model.Is(false), Router: model.Is(false), EndpointUp: h.EndpointUp,
		Named: model.Is(model.NoWay),
		Node:  noNode, Clean: model.Is(true), Departed: h.Departed, Found: h.Found}
	if h.Marked.Known() {
		b.Marked = model.Is(false)
	}
	for v := range b.Components {
		b.Components[v] = model.ComponentState{Disk: model.Is(""), Running: model.Is("")}
	}
	return b
}
