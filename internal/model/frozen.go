package model

// frozen is a cluster that does not change, laid out for those who read all of it
// again and again.
type frozen struct {
	ids   []HostID
	hosts map[HostID]*Host
}

// Frozen is the cluster for reading only: Order and At cost nothing then.
func (c Cluster) Frozen() Cluster {
	f := &frozen{c.IDs(), make(map[HostID]*Host, len(c.Hosts))}
	for id, h := range c.Hosts {
		f.hosts[id] = &h
	}
	c.frozen = f
	return c
}

// Order is IDs, which the caller does not change.
func (c Cluster) Order() []HostID {
	if c.frozen != nil {
		return c.frozen.ids
	}
	return c.IDs()
}

// At is a host, or an empty one, which the caller does not change.
func (c Cluster) At(id HostID) *Host {
	if c.frozen != nil && c.frozen.hosts[id] != nil {
		return c.frozen.hosts[id]
	}
	h := c.Hosts[id]
	return &h
}
