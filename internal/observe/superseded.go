package observe

import (
	"slices"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
)

// verify takes of what hosts have recorded what etcd's CA has signed: anybody
// could write that the living cluster has ended, or that it is being recovered.
func (o *Observer) verify(g *goal.Goal) {
	cas := o.etcdCAs(g)
	for id, f := range o.facts {
		f.Past, f.Recovery = nil, nil
		for _, ca := range cas {
			for _, l := range f.Recorded {
				if s, signed := etcd.ReadSuperseded(l, ca); signed {
					f.Past = append(f.Past, s)
				}
			}
			if f.Claimed != nil && f.Claimed.IsSigned(ca, string(id)) {
				f.Recovery = f.Claimed
			}
		}
		o.facts[id] = f
	}
}

// etcdCAs are the certificates of etcd's CA: the one that belongs to the
// cluster's keys, or while nobody who answers has those, what its hosts hold.
func (o *Observer) etcdCAs(g *goal.Goal) (cas [][]byte) {
	if keys := readKeys(g, o.facts, o.former); keys.shared != nil {
		return [][]byte{keys.shared.EtcdCA.Cert}
	}
	for id, h := range g.Hosts {
		if ca := o.facts[id].Files[g.Layout.PKI.EtcdCA.Cert]; ca != nil && (h.Node.Etcd || h.Node.ControlPlane) {
			cas = append(cas, ca)
		}
	}
	return cas
}

func (f Facts) supersededIDs() (ids []string) {
	for _, s := range f.Past {
		ids = append(ids, s.ID)
	}
	return ids
}

// Past are the signed lines about superseded etcd clusters that any host has,
// one a cluster.
func (o *Observation) Past() map[string]etcd.Superseded {
	all := map[string]etcd.Superseded{}
	for _, id := range o.IDs() {
		for _, s := range o.Facts[id].Past {
			all[s.ID] = s
		}
	}
	return all
}

// Superseded are the ids of superseded etcd clusters that any host knows, sorted.
// A recovery's record says so from the moment that its data is in place.
func (o *Observation) Superseded() []string {
	var all []string
	for _, f := range o.Facts {
		all = append(all, f.supersededIDs()...)
		if f.Recovery != nil && f.Data && f.DataOf == f.Recovery.ID {
			all = append(all, f.Recovery.Supersedes...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// supersede marks the hosts with data of a superseded etcd cluster. Two of them
// may have the quorum of old, and API servers that are ready: none of it counts,
// nor an API server that asks one of them and is not kept from it.
func (o *Observation) supersede() {
	past := o.Superseded()
	if len(past) == 0 {
		return
	}
	for id, f := range o.Facts {
		if f.Err == nil && f.DataOf != "" && slices.Contains(past, f.DataOf) {
			f.Superseded, f.EtcdHealth, f.EtcdLocal, f.Readyz = true, false, false, false
			o.Facts[id] = f
		}
	}
	for id, f := range o.Facts {
		if f.Readyz && f.throughWay(o.Goal) && slices.Contains(past, f.Balancer.Cluster) {
			f.Readyz = false
			o.Facts[id] = f
		}
		if f.Readyz && slices.ContainsFunc(f.EtcdServers, func(a string) bool {
			who := o.at(o.Goal, a)
			asked := o.Facts[who]
			return asked.Superseded && asked.Up(model.Etcd) && o.Fence(id)[who] == nil
		}) {
			f.Readyz = false
			o.Facts[id] = f
		}
	}
}

// LivingEtcd is the id of the etcd cluster that serves, by the data of its
// voters; "" when none does, or they differ.
func (o *Observation) LivingEtcd() string {
	living := ""
	for id, h := range o.Have.Hosts {
		of := o.Facts[id].DataOf
		if !h.Etcd.Member.Is(model.Voter) || !h.Etcd.Healthy.Is(true) || of == "" {
			continue
		}
		if living != "" && living != of {
			return ""
		}
		living = of
	}
	return living
}

// mayReturnStale are the etcd hosts of the file that do not answer and are no
// members, in a cluster that supersedes or has superseded another: they may come
// back with old data, so nobody is led to them before they were seen.
func (o *Observation) mayReturnStale(recovering bool) (ids []model.HostID) {
	if !recovering && (o.Etcd.Err != nil || len(o.Superseded()) == 0) {
		return nil
	}
	for id, h := range o.Goal.Hosts {
		if _, member := o.Etcd.Members[id]; o.Facts[id].Err != nil && (recovering || !member) && h.Node.Etcd {
			ids = append(ids, id)
		}
	}
	return ids
}

// Fence are the addresses that a host's etcd does not let in, by whose they are.
func (o *Observation) Fence(id model.HostID) map[model.HostID][]string {
	out := map[model.HostID][]string{}
	for _, a := range o.Facts[id].Fence {
		whose := o.at(o.Goal, a)
		out[whose] = append(out[whose], a)
	}
	return out
}

// goalWithout is the goal while some hosts are lost to etcd: nobody is led to
// them.
func (o *Observer) goalWithout(lost ...model.HostID) (*goal.Goal, error) {
	seen := o.hostTraits()
	for _, id := range lost {
		s := seen[id]
		s.MayReturnStale = true
		seen[id] = s
	}
	return o.goal(seen)
}

// goal is the file's, and the recovery beside it.
func (o *Observer) goal(seen map[model.HostID]goal.HostTraits) (*goal.Goal, error) {
	g, err := goal.Build(o.File, o.Artifacts, seen)
	if err == nil {
		g.Want.KeepKeys = o.KeepKeys
	}
	if err == nil && o.Recovery != nil {
		g.Recovery = o.Recovery
		g.Want.Recovery, g.Want.Survivor = o.Recovery.Model(), o.Recovery.At
	}
	return g, err
}
