package model

// Born says whether the cluster's etcd has ever had quorum, so that there may
// be data to lose: someone has published its address (which takes a quorum),
// or as many hosts as make a majority may have started once. A host of which
// nothing is known may have.
func (c Cluster) Born() bool {
	total, begun := 0, 0
	for _, id := range c.critical {
		h := c.Hosts[id]
		if m := h.Etcd.Member.Or(NoMember); m == Voter || m == Learner {
			return true
		}
		if h.Roles.Has(EtcdHost) || h.Etcd.Member.Is(Unstarted) {
			total++
			if !h.Etcd.Begun.Is(false) {
				begun++
			}
		}
	}
	return begun > total/2
}

// Learner is a host that is listed as a learner: etcd has one at a time.
func (c Cluster) Learner() (HostID, bool) {
	for _, id := range c.critical {
		if c.Hosts[id].Etcd.Member.Is(Learner) {
			return id, true
		}
	}
	return "", false
}
