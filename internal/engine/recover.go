package engine

import (
	"context"
	"net/url"
	"slices"
	"sync"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
)

// Recover makes a recovery the goal beside the file's, of what is planned and
// applied from now on.
func (e *Engine) Recover(r goal.Recovery) { e.observer.Recovery = &r }

// NewRecovery is a recovery onto a host, that ends all clusters of which
// something was seen. behind is by how much the revision of its data is below
// the highest that is known.
func NewRecovery(ob *observe.Observation, at model.HostID, behind int64) goal.Recovery {
	r := goal.Recovery{At: at, Recovery: etcd.NewRecovery(ob.Have.Name, ob.Goal.Layout.Etcd.PeerURL(ob.Goal.Hosts[at].Node.Address), behind)}
	r.Supersedes = ob.Superseded()
	for _, id := range ob.IDs() {
		if of := ob.Facts[id].DataOf; of != "" {
			r.Supersedes = append(r.Supersedes, of)
		}
	}
	slices.Sort(r.Supersedes)
	r.Supersedes = slices.Compact(r.Supersedes)
	r.Outside = outside(ob, at)
	r.Others = ob.Named(ob.Goal, r.Outside)
	return r
}

// outside are the addresses of all who had to do with etcd, but of one host.
func outside(ob *observe.Observation, at model.HostID) (addresses []string) {
	own := ob.Facts[at].Addresses
	add := func(a string) {
		if a != "" && !slices.Contains(own, a) && !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	for _, id := range ob.Have.Critical() {
		if h, named := ob.Goal.Hosts[id]; named {
			add(h.Node.Address)
		}
		for _, peer := range ob.Etcd.Members[id].PeerURLs {
			if u, err := url.Parse(peer); err == nil {
				add(u.Hostname())
			}
		}
	}
	return addresses
}

// Survey says what data of etcd each host has that can be reached. A host that
// cannot be asked is missing from the first and has its reason in the second.
func (e *Engine) Survey(ctx context.Context, ob *observe.Observation) (map[model.HostID]etcd.DiskData, map[model.HostID]error) {
	data, errs := map[model.HostID]etcd.DiskData{}, map[model.HostID]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, id := range ob.Have.Critical() {
		h := ob.Have.Hosts[id]
		if !h.Roles.Has(model.EtcdHost) && !h.Etcd.Data.Or(false) {
			continue
		}
		if f := ob.Facts[id]; f.Err != nil {
			errs[id] = f.Err
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			d, err := etcd.SurveyDisk(ctx, e.observer.Hosts[id], ob.Goal.Layout)
			mu.Lock()
			defer mu.Unlock()
			if data[id] = d; err != nil {
				delete(data, id)
				errs[id] = err
			}
		}()
	}
	wg.Wait()
	return data, errs
}
