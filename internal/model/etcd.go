package model

// Bootstrapped says whether the cluster's etcd has ever had quorum, so that there may
// be data to lose: a quorum lists a member, or a host knows that etcd has begun,
// or so few hosts were seen that the others may have begun without them.
func (c Cluster) Bootstrapped() bool {
	total, unseen := 0, 0
	for _, id := range c.critical {
		h := c.Hosts[id]
		if m := h.Etcd.Member.Or(NoMember); m == Voter || m == Learner {
			return true
		}
		if h.Etcd.Bootstrapped.Is(true) || h.Components[APIServer].Disk.Not("") {
			return true // an API server is installed only once etcd has quorum
		}
		if h.Roles.Has(EtcdHost) || h.Etcd.Member.Is(Unstarted) {
			total++
			if !h.Etcd.Bootstrapped.Known() {
				unseen++
			}
		}
	}
	return unseen > total/2
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
