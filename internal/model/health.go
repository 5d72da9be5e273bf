package model

import "slices"

// Health says what of the control plane works, and which single host losses
// would end that. What is unknown counts as down.
type Health struct {
	Etcd     bool     // etcd has quorum
	API      bool     // some API server answers requests
	Stranded []HostID // worker nodes without a way to an API server
	Fatal    []HostID // hosts whose loss alone would stop etcd or the API, or cut a worker off
}

// part is what a critical host does for the cluster's health.
type part struct {
	id    HostID
	votes bool // counts in etcd's quorum
	etcd  bool // its etcd serves
	voter bool // as a voter
	api   bool // its API server answers, given one of the etcds that it asks
	asks  HostSet
}

// part of a host. One of whose membership nothing is known counts in the
// quorum, and counts as down, once it may have joined.
func (h *Host) part(id HostID) part {
	m, known := h.Etcd.Member.Get()
	p := part{id: id, asks: h.EtcdServers.Or(HostSet{})}
	p.votes = known && m != NoMember && m != Learner || !known && h.Roles.Has(EtcdHost)
	p.etcd = h.Up() && h.runs(Etcd) && h.Etcd.Healthy.Is(true)
	p.voter = p.etcd && m == Voter
	p.api = h.Up() && h.runs(APIServer) && h.Ready.Is(true)
	return p
}

// parts looks at the critical hosts once.
func (c Cluster) parts() []part {
	out := make([]part, len(c.critical))
	for i, id := range c.critical {
		h := c.Hosts[id]
		out[i] = h.part(id)
	}
	return out
}

func quorum(parts []part, dead HostID) bool {
	total, up := 0, 0
	for i := range parts {
		if p := &parts[i]; p.votes {
			total++
			if p.voter && p.id != dead {
				up++
			}
		}
	}
	return total > 0 && up > total/2
}

// serving are the hosts whose API servers answer, were dead lost.
func serving(parts []part, dead HostID) []HostID {
	if !quorum(parts, dead) {
		return nil
	}
	var out []HostID
	for i := range parts {
		p := &parts[i]
		if p.api && p.id != dead && slices.ContainsFunc(parts, func(e part) bool {
			return e.etcd && e.id != dead && p.asks.Has(e.id)
		}) {
			out = append(out, p.id)
		}
	}
	return out
}

// Quorum says whether etcd can commit, were the host dead lost ("" is none).
func (c Cluster) Quorum(dead HostID) bool { return quorum(c.parts(), dead) }

// QuorumLost says that etcd has no quorum, and that starting what can be reached
// brings none: too many members do not answer or have no data to go on from. A
// member that never started has no data to lose.
func (c Cluster) QuorumLost() bool {
	parts := c.parts()
	if !c.Bootstrapped() || quorum(parts, "") {
		return false
	}
	total, there := 0, 0
	for _, p := range parts {
		if p.voter {
			return false // its reads are agreed to by a quorum, some of which was seen before that
		}
		h := c.Hosts[p.id]
		if !p.votes || !h.Etcd.Member.Known() && h.Etcd.Bootstrapped.Is(false) {
			continue // who has never begun had no vote to lose
		}
		total++
		never := h.Etcd.Member.Is(Unstarted) && h.Etcd.Bootstrapped.Is(false)
		if h.Up() && !h.Etcd.DataLost && (h.Etcd.Data.Is(true) || never) {
			there++
		}
	}
	return there <= total/2
}

// SilentMembers are the members of etcd that do not answer, or may be members.
func (c Cluster) SilentMembers() (ids []HostID) {
	for _, p := range c.parts() {
		if h := c.Hosts[p.id]; p.votes && !h.Up() {
			ids = append(ids, p.id)
		}
	}
	return ids
}

// Serving are the hosts whose API servers answer.
func (c Cluster) Serving() []HostID { return serving(c.parts(), "") }

// Strands says that the host is a running worker node that reaches none of
// those API servers.
func (h *Host) Strands(serving []HostID) bool {
	return h.client() && !h.reaches(serving)
}

// client says that the host depends on the API servers of others.
func (h *Host) client() bool {
	return h.Roles.Has(Worker) && !h.Roles.Has(ControlPlane) && h.Up() && h.runs(Kubelet)
}

func (h *Host) reaches(serving []HostID) bool {
	if !h.runs(FrontDoor) {
		return false
	}
	return h.Backends.Or(HostSet{}).Any(serving)
}

// Health judges the cluster as it stands.
func (c Cluster) Health() Health {
	parts := c.parts()
	up := serving(parts, "")
	h := Health{Etcd: quorum(parts, ""), API: len(up) > 0}
	doors := map[HostSet]Host{} // of the workers not stranded, by set of backends: most share one
	lone := map[HostID]Host{}   // of those, who are critical themselves
	for id, w := range c.Hosts {
		switch {
		case !w.client():
		case !w.reaches(up):
			h.Stranded = append(h.Stranded, id)
		case c.IsCritical(id):
			lone[id] = w
		default:
			doors[w.Backends.Or(HostSet{})] = w
		}
	}
	slices.Sort(h.Stranded)
	if !h.Etcd && !h.API {
		return h
	}
	for i := range parts {
		d := parts[i].id
		after := serving(parts, d)
		fatal := h.Etcd && !quorum(parts, d) || h.API && len(after) == 0
		for _, w := range doors {
			fatal = fatal || !w.reaches(after)
		}
		for id, w := range lone {
			fatal = fatal || id != d && !w.reaches(after)
		}
		if fatal {
			h.Fatal = append(h.Fatal, d)
		}
	}
	return h
}

// Vital is all of a host that health depends on: while it stays the same, the
// rest of the cluster feels nothing.
type Vital struct {
	part
	client, door bool
	backends     HostSet
}

// Vital is what the cluster's health depends on of this host.
func (h *Host) Vital() Vital {
	return Vital{part: h.part(""), client: h.client(), door: h.runs(FrontDoor), backends: h.Backends.Or(HostSet{})}
}
