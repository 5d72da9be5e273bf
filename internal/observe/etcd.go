package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
)

// EtcdView is etcd's own account of its members.
type EtcdView struct {
	Err      error // why there is none
	Agreed   bool  // a quorum agreed to the list; else it is one member's memory
	Members  map[model.HostID]etcd.Member
	Status   map[model.HostID]etcd.Status
	Learners map[model.HostID]bool
	fresh    bool // no host that was seen has ever run etcd
	conflict string
}

// askEtcd asks a member that has quorum, or else any that runs, for the member
// list, and each for its status.
func (o *Observer) askEtcd(ctx context.Context, ob *Observation, shared *pki.Shared) EtcdView {
	v := EtcdView{Members: map[model.HostID]etcd.Member{}, Status: map[model.HostID]etcd.Status{}, Learners: map[model.HostID]bool{}, fresh: true}
	var ask []model.HostID
	for _, id := range ob.IDs() {
		f := ob.Facts[id]
		if f.Err == nil && (f.Data || f.Begun) {
			v.fresh = false
		}
		if f.Err == nil && (f.EtcdHealth || f.EtcdLocal) {
			ask = append(ask, id)
		}
	}
	if len(ask) == 0 {
		v.Err = errors.New("no etcd member answers")
		return v
	}
	if shared == nil {
		v.Err = errors.New("no reachable control plane holds etcd's CA, so that etcd cannot be asked")
		return v
	}
	slices.SortStableFunc(ask, func(a, b model.HostID) int { return btoi(ob.Facts[b].EtcdHealth) - btoi(ob.Facts[a].EtcdHealth) })
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	for _, id := range ask {
		c, err := o.dials.etcd(ctx, o.Hosts[id], shared)
		if err != nil {
			v.Err = err
			continue
		}
		agreed := ob.Facts[id].EtcdHealth
		list := c.MembersLocal
		if agreed {
			list = c.Members
		}
		members, err := list(ctx)
		if err != nil {
			v.Err = fmt.Errorf("list etcd members through %s: %w", id, err)
			continue
		}
		v.Err, v.Agreed = nil, agreed
		for _, m := range members {
			at := model.HostID(m.Name)
			if len(m.PeerURLs) > 0 {
				// A member that never started has no name; one of a host that
				// was renamed is known by its address.
				by := ob.at(ob.Goal, m.PeerURLs[0])
				if _, seen := ob.Facts[by]; m.Name == "" || seen && ob.Goal.Hosts[at] == nil {
					at = by
				}
			}
			v.Members[at] = m
			v.Learners[at] = m.Learner
			if _, known := ob.Facts[at]; !known {
				ob.Facts[at] = Facts{Err: fmt.Errorf("it is an etcd member that the file does not name")}
			}
		}
		break
	}
	o.statuses(ctx, ob, &v, ask, shared)
	return v
}

// statuses asks each member for itself; clusters that differ are a conflict.
func (o *Observer) statuses(ctx context.Context, ob *Observation, v *EtcdView, ask []model.HostID, shared *pki.Shared) {
	var of []string
	clusters := map[uint64]bool{}
	for _, id := range ask {
		c, err := o.dials.etcd(ctx, o.Hosts[id], shared)
		if err != nil {
			continue
		}
		s, err := c.Status(ctx)
		if err != nil {
			continue
		}
		v.Status[id] = s
		clusters[s.ClusterID] = true
		of = append(of, fmt.Sprintf("%s (%x)", id, s.ClusterID))
	}
	if len(clusters) > 1 {
		v.conflict = "the hosts' etcd members are of different clusters: " + strings.Join(of, ", ") + "; nothing is changed before it is certain which one is meant"
	}
}

// member is what the list says of a host. Without a list nothing is known,
// unless etcd has never run anywhere that could be seen.
func (v EtcdView) member(id model.HostID, f Facts) model.Known[model.Member] {
	if v.Err != nil {
		if v.fresh && f.Err == nil {
			return model.Is(model.NoMember)
		}
		return model.Unknown[model.Member](v.Err.Error())
	}
	m, listed := v.Members[id]
	switch {
	case !listed:
		return model.Is(model.NoMember)
	case m.Learner:
		return model.Is(model.Learner)
	case len(m.ClientURLs) == 0: // published with the first quorum
		return model.Is(model.Unstarted)
	}
	return model.Is(model.Voter)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
