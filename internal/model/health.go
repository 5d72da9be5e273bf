package model

import "slices"

// Health says what of the control plane works, and which single host losses
// would end that. What is unknown counts as down.
type Health struct {
	Etcd     bool     // etcd has quorum
	API      bool     // some API server answers requests
	Stranded []HostID // worker nodes without a way to an API server
	Fatal    []HostID // hosts whose loss alone would stop etcd or the API
}

// EtcdMembers are the hosts that count in etcd's quorum. A host of whose
// membership nothing is known counts, and counts as down, once it may have
// joined.
func (c Cluster) voters(dead HostID) (total, up int) {
	for _, id := range c.critical {
		h := c.Hosts[id]
		m, known := h.Etcd.Member.Get()
		if known && (m == NoMember || m == Learner) {
			continue
		}
		if !known && !h.Roles.Has(EtcdHost) {
			continue
		}
		total++
		if id != dead && m == Voter && h.serves() {
			up++
		}
	}
	return total, up
}

func (h Host) serves() bool { return h.Up() && h.runs(Etcd) && h.Etcd.Healthy.Is(true) }

// Quorum says whether etcd can commit, were the host dead lost ("" is none).
func (c Cluster) Quorum(dead HostID) bool {
	total, up := c.voters(dead)
	return total > 0 && up > total/2
}

// serving are the hosts whose API servers answer, were dead lost.
func (c Cluster) serving(dead HostID) []HostID {
	if !c.Quorum(dead) {
		return nil
	}
	var out []HostID
	for _, id := range c.critical {
		h := c.Hosts[id]
		if id == dead || !h.Up() || !h.runs(APIServer) || !h.Ready.Is(true) {
			continue
		}
		for _, e := range SetOf(h.Asks.Or("")) {
			if e != dead && c.Hosts[e].serves() {
				out = append(out, id)
				break
			}
		}
	}
	return out
}

// Serving are the hosts whose API servers answer.
func (c Cluster) Serving() []HostID { return c.serving("") }

// stranded are the running worker nodes (dead apart) that reach none of the
// API servers.
func (c Cluster) stranded(serving []HostID, dead HostID) []HostID {
	var out []HostID
	reach := map[string]bool{} // by set of backends: most hosts share one
	for id, h := range c.Hosts {
		if id == dead || h.Roles.Has(ControlPlane) || !h.Roles.Has(Worker) || !h.Up() || !h.runs(Kubelet) {
			continue
		}
		set := h.Backends.Or("")
		ok, seen := reach[set]
		if !seen {
			ok = slices.ContainsFunc(serving, func(s HostID) bool { return InSet(set, s) })
			reach[set] = ok
		}
		if !ok || !h.runs(FrontDoor) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// Health judges the cluster as it stands.
func (c Cluster) Health() Health {
	serving := c.serving("")
	h := Health{Etcd: c.Quorum(""), API: len(serving) > 0, Stranded: c.stranded(serving, "")}
	for _, d := range c.critical {
		after := c.serving(d)
		switch {
		case h.Etcd && !c.Quorum(d), h.API && len(after) == 0:
			h.Fatal = append(h.Fatal, d)
		case h.API && len(c.stranded(after, d)) > len(h.Stranded):
			h.Fatal = append(h.Fatal, d)
		}
	}
	return h
}
