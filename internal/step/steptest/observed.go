package steptest

import (
	"slices"

	"quorate.dev/quorate/internal/model"
)

const (
	noAnswer = "no route to host"
	noQuorum = "etcd has no quorum"
	noAPI    = "no API server answers"
)

// Observed is what an honest observation says of a true state while the named
// hosts are dead: of those only what others can tell, and what only a quorum or
// an API server can tell only when there is one.
func Observed(truth model.Cluster, dead ...model.HostID) model.Cluster {
	c := truth.Clone()
	for _, id := range dead {
		c.Edit(id, func(h *model.Host) {
			*h = model.Host{Roles: h.Roles, Address: h.Address, PodCIDR: h.PodCIDR, Departed: h.Departed, Found: h.Found,
				Reached: model.Unknown[bool](noAnswer),
				Etcd:    model.EtcdState{Member: h.Etcd.Member, Healthy: model.Is(false)},
				Node:    model.NodeState{Registered: h.Node.Registered, Ready: model.Is(false), Configured: h.Node.Configured, Drained: h.Node.Drained}}
		})
	}
	quorum, born, listed := c.Quorum(""), truth.Bootstrapped(), false
	for _, h := range c.Hosts {
		listed = listed || h.Up() && h.Runs(model.Etcd) && h.Etcd.Member.Is(model.Voter) // it knows the list as it was
		born = born || h.Etcd.Data.Is(true)
	}
	for _, id := range c.IDs() {
		c.Edit(id, func(h *model.Host) {
			if !quorum {
				h.Etcd.Healthy = model.Is(false)
			}
			if !quorum && !listed && (born || h.Roles.Has(model.EtcdHost) && !h.Up()) {
				h.Etcd.Member = model.Unknown[model.Member](noQuorum)
			}
			if h.Up() && !h.Etcd.Data.Known() {
				h.Etcd.Data = model.Is(true) // half of it is moved
			}
			for s := range h.Components {
				// What an interrupted step leaves is some digest, not an unknown one.
				if u := &h.Components[s]; h.Up() && !u.Disk.Known() && u.Disk.Why() != "" {
					u.Disk = model.Is("half")
				}
			}
		})
	}
	serving := c.Serving()
	keys, unseen := false, false
	for _, id := range c.IDs() {
		c.Edit(id, func(h *model.Host) {
			h.EndpointUp = endpointUp(h, serving)
			if h.Ready.Is(true) {
				h.Ready = model.Is(slices.Contains(serving, id))
			}
			if len(serving) == 0 && born {
				h.Node = model.NodeState{Registered: model.Unknown[bool](noAPI)}
				h.Departed = model.Unknown[bool](noAPI)
			}
			k := h.Keys.Or(model.NoKeys)
			keys = keys || k == model.SharedKeys || k == model.PublicKeys
			unseen = unseen || !h.Keys.Known() && h.Roles.Has(model.ControlPlane)
		})
	}
	if len(serving) == 0 && born {
		for name := range c.Addons {
			c.Addons[name] = model.Unknown[model.Installed](noAPI)
		}
	}
	c.CAsCreated = model.Is(keys)
	if unseen && !keys {
		c.CAsCreated = model.Unknown[bool]("not every control plane was seen")
	}
	return c
}

// endpointUp: past quorate's own load balancers none answers while none serves.
func endpointUp(h *model.Host, serving []model.HostID) model.Known[bool] {
	if len(serving) == 0 && h.EndpointUp.Is(false) && h.Named.Not(model.NoWay) {
		return model.Unknown[bool](noAPI)
	}
	return h.EndpointUp
}

// Back is the truth once a dead host answers again, after others have done
// later while it was away.
func Back(truth, later model.Cluster, dead model.HostID) model.Cluster {
	c := later.Clone()
	for id, h := range truth.Hosts {
		if id != dead {
			continue
		}
		l := later.Hosts[id]
		if m, known := l.Etcd.Member.Get(); known && m != h.Etcd.Member.Or(m) {
			h.Etcd.Member = l.Etcd.Member
			if m == model.NoMember {
				h.Etcd.Healthy = model.Is(false)
			}
		}
		if l.Departed.Known() {
			h.Departed = l.Departed
		}
		if l.Node.Registered.Known() {
			h.Node.Registered = l.Node.Registered
			if l.Node.Registered.Is(false) {
				h.Node = l.Node
			}
		}
		c.Put(id, h)
	}
	// What nobody could tell meanwhile is what it was.
	for id, h := range c.Hosts {
		t := truth.Hosts[id]
		if !h.Etcd.Member.Known() {
			h.Etcd.Member = t.Etcd.Member
		}
		if !h.Node.Registered.Known() {
			h.Node = t.Node
		}
		if !h.Departed.Known() {
			h.Departed = t.Departed
		}
		if !h.Etcd.Healthy.Is(true) && h.Runs(model.Etcd) && h.Up() {
			h.Etcd.Healthy = t.Etcd.Healthy
		}
		if !h.Ready.Is(true) && h.Runs(model.APIServer) && h.Up() {
			h.Ready = t.Ready
		}
		c.Put(id, h)
	}
	for name, v := range c.Addons {
		if !v.Known() {
			c.Addons[name] = truth.Addons[name]
		}
	}
	if !c.CAsCreated.Known() {
		c.CAsCreated = truth.CAsCreated
	}
	return c
}

// AtBirth repairs a half of a stage in which etcd is born: who was to start
// together with those that did is on their list, and none has quorum alone.
func AtBirth(before, c, want model.Cluster) model.Cluster {
	if before.Bootstrapped() {
		return c
	}
	started, total := 0, 0
	for _, id := range want.Critical() {
		if want.Hosts[id].Roles.Has(model.EtcdHost) {
			total++
			if c.Hosts[id].Etcd.Healthy.Is(true) {
				started++
			}
		}
	}
	if started == 0 {
		return c
	}
	for _, id := range want.Critical() {
		c.Edit(id, func(h *model.Host) {
			if h.Etcd.Healthy.Is(true) && started <= total/2 {
				h.Etcd.Healthy, h.Etcd.Bootstrapped, h.Etcd.Member = model.Is(false), model.Is(false), model.Is(model.NoMember)
			}
			if h.Etcd.Member.Is(model.NoMember) {
				h.Etcd.Member = model.Is(model.Unstarted)
			}
		})
	}
	return c
}

// AtSwap repairs a state in which the data of a recovery came into place: by it
// nobody else is a member, and what they serve does not count, the dead
// included.
func AtSwap(before, c model.Cluster) model.Cluster {
	for _, at := range c.Critical() {
		if before.Hosts[at].Etcd.Recovery.InPlace || !c.Hosts[at].Etcd.Recovery.InPlace {
			continue
		}
		for _, id := range c.IDs() {
			if id != at {
				c.Edit(id, func(h *model.Host) {
					h.Etcd.Member, h.Etcd.Healthy, h.Ready = model.Is(model.NoMember), model.Is(false), model.Is(false)
				})
			}
		}
	}
	return c
}
