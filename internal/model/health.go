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
	up    bool // it answers: what it carries works
	votes bool // counts in etcd's quorum
	etcd  bool // its etcd serves
	voter bool // as a voter
	api   bool // its API server answers, given one of the etcds that its way leads to
	way   Way  // of its API server to etcd
	// carries says that it can hold the virtual address, and behind are the API
	// servers to which it leads then.
	carries bool
	behind  HostSet
}

// part of a host. One of whose membership nothing is known counts in the
// quorum, and counts as down, once it may have joined.
func (h *Host) part(id HostID) part {
	m, known := h.Etcd.Member.Get()
	p := part{id: id, up: h.Up(), way: h.etcdWay()}
	p.votes = known && m != NoMember && m != Learner || !known && h.Roles.Has(EtcdHost)
	p.etcd = h.Up() && h.runs(Etcd) && h.Etcd.Healthy.Is(true)
	p.voter = p.etcd && m == Voter
	p.api = h.Up() && h.runs(APIServer) && h.Ready.Is(true)
	if p.carries = h.Up() && h.Carries(); p.carries {
		p.behind = h.Backends.Or(HostSet{})
	}
	return p
}

// served says that an API server's way leads to an etcd that serves it, were
// the host dead lost. A balancer uses voters only.
func (c Cluster) served(p *part, parts []part, dead HostID) bool {
	return c.carried(p.way, dead) && slices.ContainsFunc(parts, func(e part) bool {
		uses := e.voter || e.etcd && p.way.Kind == EachDirectly
		return uses && e.id != dead && p.way.Backends.Has(e.id)
	})
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
func (c Cluster) serving(parts []part, dead HostID) []HostID {
	if !quorum(parts, dead) {
		return nil
	}
	var out []HostID
	for i := range parts {
		if p := &parts[i]; p.api && p.id != dead && c.served(p, parts, dead) {
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
func (c Cluster) Serving() []HostID { return c.serving(c.parts(), "") }

// Strands says that a host is a running node that depends on others' API
// servers, and reaches none of those that serve.
func (c Cluster) Strands(id HostID, serving []HostID) bool {
	h := c.Hosts[id]
	return h.client() && !c.reaches(id, h.apiWay(), serving, "")
}

// Health judges the cluster as it stands.
func (c Cluster) Health() Health {
	parts := c.parts()
	up := c.serving(parts, "")
	h := Health{Etcd: quorum(parts, ""), API: len(up) > 0}
	shared := map[Way]bool{} // of the clients not stranded: most share one
	lone := map[HostID]Way{} // of those, who are critical themselves
	for id, w := range c.Hosts {
		if !w.client() {
			continue
		}
		switch way := w.apiWay(); {
		case !c.reaches(id, way, up, ""):
			h.Stranded = append(h.Stranded, id)
		case c.IsCritical(id):
			lone[id] = way
		default:
			shared[way] = true
		}
	}
	slices.Sort(h.Stranded)
	if !h.Etcd && !h.API {
		return h
	}
	for i := range parts {
		d := parts[i].id
		after := c.serving(parts, d)
		fatal := h.Etcd && !quorum(parts, d) || h.API && len(after) == 0
		for way := range shared {
			fatal = fatal || !c.reaches("", way, after, d)
		}
		for id, way := range lone {
			fatal = fatal || id != d && !c.reaches(id, way, after, d)
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
	client bool
	way    Way
}

// Vital is what the cluster's health depends on of this host.
func (h *Host) Vital() Vital { return Vital{h.part(""), h.client(), h.apiWay()} }
