package observe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
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
func (o *Observer) askEtcd(ctx context.Context, ob *Observation, shared *pki.Shared, hurry bool) EtcdView {
	v := EtcdView{Members: map[model.HostID]etcd.Member{}, Status: map[model.HostID]etcd.Status{}, Learners: map[model.HostID]bool{},
		fresh: true}
	var ask []model.HostID
	for _, id := range ob.IDs() {
		f := ob.Facts[id]
		if f.Err == nil && (f.Data || f.Bootstrapped) {
			v.fresh = false
		}
		if f.Err == nil && (f.EtcdHealth || f.EtcdLocal) && !ob.silent[id] {
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
	ctx, cancel := context.WithTimeout(ctx, 12*time.Second)
	defer cancel()
	o.statuses(ctx, &v, ask, shared, hurry)
	// First those that have quorum, and of them those that serve.
	rank := func(id model.HostID) int {
		_, serves := v.Status[id]
		return 2*btoi(!ob.Facts[id].EtcdHealth) + btoi(!serves)
	}
	slices.SortStableFunc(ask, func(a, b model.HostID) int { return rank(a) - rank(b) })
	for _, id := range ask {
		c, err := o.Etcd(ctx, o.Hosts[id], shared)
		if err != nil {
			v.Err = err
			continue
		}
		agreed := ob.Facts[id].EtcdHealth
		list := c.MembersLocal
		if agreed {
			list = c.Members
		}
		one, cancel := context.WithTimeout(ctx, askTime)
		members, err := list(one)
		cancel()
		if err != nil {
			v.Err = fmt.Errorf("list etcd members through %s: %w", id, err)
			continue
		}
		v.Err, v.Agreed = nil, agreed
		for _, m := range members {
			at := ob.hostOf(m)
			v.Members[at], v.Learners[at] = m, m.Learner
		}
		break
	}
	return v
}

// hostOf is a member's host. A member that never started has no name; one of a
// host that was renamed is known by its address.
func (ob *Observation) hostOf(m etcd.Member) model.HostID {
	at := model.HostID(m.Name)
	if len(m.PeerURLs) > 0 {
		by := ob.at(ob.Goal, m.PeerURLs[0])
		if _, seen := ob.Facts[by]; m.Name == "" || seen && ob.Goal.Hosts[at] == nil {
			return by
		}
	}
	return at
}

// orphans are the members that the file does not name, at the address by which
// etcd knows them. Who leaves is kept in the cluster; but when the one API
// server that stays does not answer, they are those who can tell, and who hold
// the quorum without which it does not start again.
func (v EtcdView) orphans(file *spec.Cluster) (out []kubeapi.Departed) {
	if v.Err != nil || !v.Agreed {
		return nil
	}
	ours := map[string]bool{}
	for _, h := range file.Spec.Hosts {
		ours[h.Address], ours[h.InternalAddress] = true, true
	}
	for _, id := range slices.Sorted(maps.Keys(v.Members)) {
		m := v.Members[id]
		if _, named := file.Host(m.Name); named || m.Name == "" || len(m.PeerURLs) == 0 {
			continue
		}
		if u, err := url.Parse(m.PeerURLs[0]); err == nil && u.Hostname() != "" && !ours[u.Hostname()] {
			out = append(out, kubeapi.Departed{Name: m.Name, Address: u.Hostname()})
		}
	}
	return out
}

// statuses asks each member for itself; clusters that differ are a conflict. A
// member that has just started takes connections up to 7 s before it serves
// them, when its first word to the others was lost: while steps run, it is not
// waited for.
func (o *Observer) statuses(ctx context.Context, v *EtcdView, ask []model.HostID, shared *pki.Shared, hurry bool) {
	limit := askTime
	if hurry {
		limit = time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, id := range ask {
		group.Go(func() {
			c, err := o.Etcd(ctx, o.Hosts[id], shared)
			if err != nil {
				return
			}
			if s, err := c.Status(ctx); err == nil {
				mu.Lock()
				defer mu.Unlock()
				v.Status[id] = s
			}
		})
	}
	group.Wait()
	var of []string
	clusters := map[uint64]bool{}
	for _, id := range slices.Sorted(maps.Keys(v.Status)) {
		clusters[v.Status[id].ClusterID] = true
		of = append(of, fmt.Sprintf("%s (%x)", id, v.Status[id].ClusterID))
	}
	if len(clusters) > 1 {
		v.conflict = "the hosts' etcd members are of different clusters: " + strings.Join(of, ", ") +
			"; nothing is changed until it is clear which one is meant"
	}
}

// member is what the list says of a host. Without a list nothing is known,
// unless etcd has never run anywhere that could be seen, or the host's data is
// of a superseded cluster.
func (v EtcdView) member(id model.HostID, f Facts) model.Known[model.Member] {
	if v.Err != nil && f.Superseded {
		return model.Is(model.NoMember)
	}
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
	case len(m.ClientURLs) == 0 && !f.EtcdHealth: // what it publishes may come seconds after its vote
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
