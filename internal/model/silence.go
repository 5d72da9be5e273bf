package model

import (
	"fmt"
	"slices"
)

// Silence is an etcd host that answers us, while etcd's packets between it and
// others are lost.
type Silence struct {
	Host  HostID
	From  HostSet // those whom its etcd does not answer
	To    HostSet // those whose etcd does not answer it
	Hangs bool    // its etcd does not answer on its own host either
}

// Silences are the fewest hosts that explain which etcd does not answer whom. Of a
// host that does not answer us more is known than that, and it is none of them.
func (c Cluster) Silences() (out []Silence) {
	type pair struct{ seer, seen HostID }
	var pairs []pair
	for _, seer := range c.critical {
		h := c.Hosts[seer]
		for _, seen := range h.EtcdSilent.Or(HostSet{}).List() {
			s := c.Hosts[seen]
			apart := h.Etcd.Fenced.Has(seen) || s.Etcd.Fenced.Has(seer) || s.Etcd.Member.Is(NoMember) || h.Roles.Has(EtcdHost) &&
				h.Etcd.Member.Is(NoMember)
			if h.Up() && s.Up() && !apart {
				pairs = append(pairs, pair{seer, seen})
			}
		}
	}
	for len(pairs) > 0 {
		// By what a host explains; of two, the one that is seen to be silent, and
		// then the one that does not serve.
		weight := map[HostID]int{}
		for _, p := range pairs {
			weight[p.seen] += 1000 + 2
			if p.seer != p.seen {
				weight[p.seer] += 1000
			}
		}
		var worst HostID
		for _, id := range c.critical {
			if h := c.Hosts[id]; weight[id] > 0 && !h.Etcd.Healthy.Is(true) {
				weight[id]++
			}
			if weight[id] > weight[worst] {
				worst = id
			}
		}
		s := Silence{Host: worst}
		pairs = slices.DeleteFunc(pairs, func(p pair) bool {
			switch {
			case p.seen == worst && p.seer == worst:
				s.Hangs = true
			case p.seen == worst:
				s.From = s.From.With(p.seer)
			case p.seer == worst:
				s.To = s.To.With(p.seen)
			}
			return p.seen == worst || p.seer == worst
		})
		out = append(out, s)
	}
	return out
}

// Silenced is the silence for which the host's etcd or API server may not serve.
func (c Cluster) Silenced(id HostID) (Silence, bool) {
	for _, s := range c.Silences() {
		if s.Host == id || s.From.Has(id) || s.To.Has(id) {
			return s, true
		}
	}
	return Silence{}, false
}

// String says what was seen, and from where.
func (s Silence) String() string {
	switch {
	case s.Hangs && s.From.IsEmpty():
		return "etcd does not answer on its own host: it hangs"
	case s.Hangs:
		return fmt.Sprintf("etcd answers neither %s nor its own host: it hangs", s.From)
	case s.From.IsEmpty():
		return fmt.Sprintf("etcd of %s does not answer it", s.To)
	}
	return fmt.Sprintf("etcd does not answer %s", s.From)
}
