package model

import "slices"

// WayKind is what leads from a host to a service.
type WayKind uint8

// The kinds of ways.
const (
	NoWay          WayKind = iota
	OwnServer              // the server of the same host
	EachDirectly           // every backend is asked; none of them may be one that does not answer as it should
	LocalBalancer          // the balancer of the same host
	SharedBalancer         // a balancer or virtual address that hosts share
	FixedServer            // one server and no other: a cluster without endpoint
	// SharedAddress is the virtual address of the cluster's own load balancers. Who
	// can hold it, and what stands behind each, are facts of their hosts: see
	// Host.Carries, Host.Backends.
	SharedAddress
)

func (k WayKind) String() string {
	return [...]string{"none", "own server", "each directly", "node-local balancer", "shared balancer", "one fixed server",
		"virtual address"}[k]
}

// Way is how a host reaches API servers, or its API server reaches etcd.
type Way struct {
	Kind WayKind
	// Backends are the hosts whose servers it leads to. Those of a host's own
	// balancer are a fact of that balancer: see Host.Backends, Host.EtcdBackends.
	Backends HostSet
	// Carriers are the hosts that a shared balancer runs on, one of which
	// suffices. Empty: they are not known, and not judged.
	Carriers HostSet
}

// String is the way for people.
func (w Way) String() string {
	s := w.Kind.String()
	if !w.Backends.IsEmpty() {
		s += " (" + w.Backends.String() + ")"
	}
	if !w.Carriers.IsEmpty() {
		s += " on " + w.Carriers.String()
	}
	return s
}

// through is the way with the backends of the host's own balancer, if it goes
// through that; none when the balancer does not run.
func (h *Host) through(w Way, balanced Known[HostSet]) Way {
	if w.Kind != LocalBalancer {
		return w
	}
	if !h.HasDoor() {
		return Way{}
	}
	w.Backends = balanced.Or(HostSet{})
	return w
}

// apiWay is how the host reaches API servers; what is unknown leads nowhere.
func (h *Host) apiWay() Way { return h.through(h.Via.Or(Way{}), h.Backends) }

// etcdWay is how the host's API server reaches etcd.
func (h *Host) etcdWay() Way {
	if h.EtcdStale && h.EtcdVia.Or(Way{}).Kind == LocalBalancer {
		return Way{}
	}
	return h.through(h.EtcdVia.Or(Way{}), h.EtcdBackends)
}

// EtcdServers are the hosts whose etcd the host's API server may use.
func (h Host) EtcdServers() HostSet {
	if w := h.EtcdVia.Or(Way{}); w.Kind != LocalBalancer {
		return w.Backends
	}
	return h.EtcdBackends.Or(HostSet{}) // also while the balancer is down: once it is up it leads there
}

// carried says that the balancer of a way works, were the host dead lost.
func (c Cluster) carried(w Way, dead HostID) bool {
	return w.Carriers.IsEmpty() || slices.ContainsFunc(w.Carriers.List(), func(id HostID) bool {
		h := c.Hosts[id]
		return id != dead && h.Up()
	})
}

// reaches says that a way leads from a host to one of those API servers.
func (c Cluster) reaches(id HostID, w Way, serving []HostID, dead HostID) bool {
	switch w.Kind {
	case OwnServer:
		return slices.Contains(serving, id)
	case SharedAddress:
		return slices.ContainsFunc(c.critical, func(id HostID) bool {
			h := c.Hosts[id]
			return id != dead && h.Up() && h.Carries() && h.Backends.Or(HostSet{}).Any(serving)
		})
	}
	return w.Backends.Any(serving) && c.carried(w, dead)
}

// Reaches says that the host's way leads to an API server that answers.
func (c Cluster) Reaches(id HostID) bool {
	h := c.Hosts[id]
	return c.reaches(id, h.apiWay(), c.Serving(), "")
}

// Leads says that a way of this host would lead to an API server that answers,
// through balancers that others run.
func (c Cluster) Leads(id HostID, w Way) bool { return c.reaches(id, w, c.Serving(), "") }

// client says that the host depends on the API servers of others. A control
// plane of whose way nothing is known is taken to use its own.
func (h *Host) client() bool {
	if !h.Roles.Node() || !h.Up() || !h.runs(Kubelet) {
		return false
	}
	w, known := h.Via.Get()
	if !known || w.Kind == NoWay {
		return !h.Roles.Has(ControlPlane)
	}
	return w.Kind != OwnServer
}
