package observe

import (
	"context"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kube"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
)

// Observer looks at the hosts of one cluster. It remembers what it saw, so
// that a look at some hosts can stand beside an older look at the others.
type Observer struct {
	File      *spec.Cluster
	Artifacts goal.Artifacts
	Hosts     map[model.HostID]host.Host
	// Connect reaches a host that the file does not name any more; nil: such
	// hosts are known from others only.
	Connect func(kube.Departed) host.Host

	mu      sync.Mutex
	facts   map[model.HostID]Facts
	looking map[model.HostID]chan struct{} // probes under way
	dials   conns
}

// Observation is all that was seen, with the model made of it.
type Observation struct {
	Facts  map[model.HostID]Facts
	Etcd   EtcdView
	API    APIView
	Shared *pki.Shared // the cluster's keys, in memory only; nil: nobody reachable holds them
	Goal   *goal.Goal
	Have   model.Cluster
}

// IDs are the hosts that were looked for, sorted.
func (o *Observation) IDs() []model.HostID { return slices.Sorted(maps.Keys(o.Facts)) }

// Look observes the given hosts, or all of them when none is given. Only a
// goal that cannot be made is an error; a host that does not answer is part of
// the observation.
func (o *Observer) Look(ctx context.Context, only ...model.HostID) (*Observation, error) {
	frame, err := goal.Build(o.File, o.Artifacts, o.natures())
	if err != nil {
		return nil, err
	}
	ids := only
	if len(ids) == 0 || o.facts == nil {
		ids = slices.Collect(maps.Keys(o.Hosts))
	}
	o.probe(ctx, frame, ids, len(only) == 0)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := &Observation{}
	o.mu.Lock()
	out.Facts = maps.Clone(o.facts)
	o.mu.Unlock()
	if out.Goal, err = goal.Build(o.File, o.Artifacts, o.natures()); err != nil {
		return nil, err
	}
	keys := readKeys(out.Facts)
	var wg sync.WaitGroup
	wg.Add(2)
	go func() { defer wg.Done(); out.Etcd = o.askEtcd(ctx, out, keys.shared) }()
	go func() { defer wg.Done(); out.API = o.askAPI(ctx, out, keys.shared) }()
	wg.Wait()
	if len(only) == 0 && o.meet(out.API.Departed) {
		return o.Look(ctx)
	}
	out.Have = assemble(out.Goal, out, time.Now())
	return out, ctx.Err()
}

// meet connects to hosts that left the file. It is called only while no step
// runs, for steps read the map of hosts.
func (o *Observer) meet(departed []kube.Departed) (more bool) {
	for _, d := range departed {
		id := model.HostID(d.Name)
		if o.Hosts[id] == nil && o.Connect != nil {
			o.Hosts[id] = o.Connect(d)
			more = true
		}
	}
	return more
}

// patience is how long a look at some hosts waits for the slowest: one that is
// silent must not hold up the others. What it says later is there at the next look.
const patience = 2 * time.Second

// probe looks at hosts side by side, at each once at a time.
func (o *Observer) probe(ctx context.Context, frame *goal.Goal, ids []model.HostID, all bool) {
	var ends []chan struct{}
	o.mu.Lock()
	if o.facts == nil {
		o.facts, o.looking = map[model.HostID]Facts{}, map[model.HostID]chan struct{}{}
	}
	for _, id := range ids {
		if o.Hosts[id] == nil {
			continue // known from others only
		}
		end, busy := o.looking[id]
		if !busy {
			end = make(chan struct{})
			o.looking[id] = end
			go func() {
				f := Probe(ctx, o.Hosts[id], frame, id)
				o.mu.Lock()
				defer o.mu.Unlock()
				o.facts[id] = f
				delete(o.looking, id)
				close(end)
			}()
		}
		ends = append(ends, end)
	}
	o.mu.Unlock()
	limit := time.After(patience)
	if all {
		limit = nil
	}
	for _, end := range ends {
		select {
		case <-end:
		case <-limit:
			return
		}
	}
}

// natures are what goals depend on of the hosts seen so far. A host's share of
// the pod network is told by its own configuration, or else by the routes that
// others have to it.
func (o *Observer) natures() map[model.HostID]goal.Seen {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[model.HostID]goal.Seen{}
	routes := map[string]string{}
	for _, f := range o.facts {
		for _, l := range lines(f.Routes) {
			if w := strings.Fields(l); len(w) >= 5 && w[0] == "route" && w[1] == "replace" {
				routes[w[4]] = w[2]
			}
		}
	}
	for id, f := range o.facts {
		if cidr := subnet(f.Conflist); cidr != "" {
			out[id] = goal.Seen{PodCIDR: cidr} // a host that leaves holds its share till it is clean
		}
	}
	for _, h := range o.File.Spec.Hosts {
		f := o.facts[model.HostID(h.Name)]
		address := h.InternalAddress
		if address == "" {
			address = h.Address
		}
		s := goal.Seen{CgroupV1: f.CgroupV1, ResolvConf: f.ResolvConf, PodCIDR: subnet(f.Conflist)}
		if s.PodCIDR == "" {
			s.PodCIDR = routes[address]
		}
		out[model.HostID(h.Name)] = s
	}
	return out
}

// subnet reads a host's share of the pod network off its CNI configuration.
func subnet(conflist string) string {
	var c struct {
		Plugins []struct {
			IPAM struct {
				Ranges [][]struct{ Subnet string }
			}
		}
	}
	if json.Unmarshal([]byte(conflist), &c) != nil {
		return ""
	}
	for _, p := range c.Plugins {
		for _, r := range p.IPAM.Ranges {
			if len(r) > 0 {
				if n, err := netip.ParsePrefix(r[0].Subnet); err == nil {
					return n.String()
				}
			}
		}
	}
	return ""
}
