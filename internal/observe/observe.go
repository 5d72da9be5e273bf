package observe

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeapi"
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
	Connect func(kubeapi.Departed) host.Host
	// Recovery is wanted beside the file; nil: none.
	Recovery *goal.Recovery
	// Waits is told, at most once, which hosts keep the first look waiting, and how
	// long each may take; nil: nobody asks.
	Waits func(hosts []model.HostID, most time.Duration)
	// KeepKeys: see model.Cluster.
	KeepKeys bool

	mu    sync.Mutex
	facts map[model.HostID]Facts
	// slowest is how long a control plane has taken that answered.
	slowest time.Duration
	// looking are the probes under way, seeking the hosts that could not be
	// asked and are asked again and again in the background.
	looking map[model.HostID]chan struct{}
	seeking map[model.HostID]bool
	frame   *goal.Goal // by which hosts were asked last
	// orphans are hosts that only others name, or named at a look before: that
	// one is gone is seen on it too.
	orphans map[model.HostID]string
	dials   conns
	members map[model.HostID]bool               // of etcd, in any look so far
	nodes   map[model.HostID]kubeapi.NodeStatus // as the API server said last
	former  []model.HostID                      // see Observation
	tried   map[model.HostID]Tried              // see Observation
}

// Observation is all that was seen, with the model made of it.
type Observation struct {
	Facts  map[model.HostID]Facts
	Etcd   EtcdView
	API    APIView
	Tried  map[model.HostID]Tried // the endpoint, where somebody else's load balancer stands
	Shared *pki.Shared            // the cluster's keys, in memory only; nil: nobody reachable holds them
	Goal   *goal.Goal
	Have   model.Cluster

	former []model.HostID        // control planes by the file applied last, whose keys count
	silent map[model.HostID]bool // their answer is overdue; they are not asked for more
}

// IDs are the hosts that were looked for, sorted.
func (o *Observation) IDs() []model.HostID { return slices.Sorted(maps.Keys(o.Facts)) }

// Look observes the given hosts, or all of them when none is given. Only a
// goal that cannot be made is an error; a host that does not answer is part of
// the observation. All hosts are waited for, but for those that did not answer
// before: those are sought in the background, and there once they answer.
func (o *Observer) Look(ctx context.Context, only ...model.HostID) (*Observation, error) {
	ids, wait := only, waiting{all: patience}
	if len(ids) == 0 || o.facts == nil {
		ids = slices.Collect(maps.Keys(o.Hosts))
	}
	if len(only) == 0 {
		wait.all = 0
	}
	out, err := o.look(ctx, ids, wait)
	if err != nil {
		return nil, err
	}
	if len(only) == 0 {
		if late := out.late(); len(late) > 0 {
			if out, err = o.look(ctx, late, wait); err != nil {
				return nil, err
			}
		}
		left := out.API.Departed
		if out.API.Err != nil {
			left = out.Etcd.orphans(o.File)
		}
		if o.meet(left) {
			return o.Look(ctx)
		}
	}
	return out, nil
}

// Glance observes all hosts while steps run. In a hurry it waits for none
// longer than a moment, else for no worker longer than a few; of one that takes
// longer it has what was seen before.
func (o *Observer) Glance(ctx context.Context, hurry bool) (*Observation, error) {
	wait := waiting{workers: workerPatience}
	if hurry {
		wait = waiting{all: patience}
	}
	return o.look(ctx, slices.Collect(maps.Keys(o.Hosts)), wait)
}

func (o *Observer) look(ctx context.Context, ids []model.HostID, wait waiting) (*Observation, error) {
	o.warm(ctx, ids)
	frame, err := o.goal(o.hostTraits())
	if err != nil {
		return nil, err
	}
	o.probe(ctx, frame, ids, wait)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := &Observation{}
	o.mu.Lock()
	o.verify(frame)
	out.Facts, out.silent = maps.Clone(o.facts), map[model.HostID]bool{}
	for id := range o.looking {
		out.silent[id] = true
	}
	o.mu.Unlock()
	if out.Goal, err = o.goal(o.hostTraits()); err != nil {
		return nil, err
	}
	out.supersede()
	keys := o.keys(ctx, out)
	var wg sync.WaitGroup
	wg.Add(3)
	go func() { defer wg.Done(); out.Tried = o.outside(ctx, out, keys.shared, ids) }()
	go func() { defer wg.Done(); out.Etcd = o.askEtcd(ctx, out, keys.shared, wait.all > 0) }()
	go func() { defer wg.Done(); out.API = o.askAPI(ctx, out, keys.shared) }()
	wg.Wait()
	o.join(out.Etcd)
	if o.learn(out.API) {
		if out.Goal, err = o.goal(o.hostTraits()); err != nil {
			return nil, err
		}
	}
	o.recall(out)
	out.Have = assemble(out.Goal, out, time.Now())
	if lost := out.mayReturnStale(out.Recovering()); len(lost) > 0 {
		if out.Goal, err = o.goalWithout(lost...); err != nil {
			return nil, err
		}
		out.Have = assemble(out.Goal, out, time.Now())
	}
	out.Goal.KeepFound(out.Have)
	goal.Recovering(&out.Have, out.Goal.Want)
	return out, ctx.Err()
}

// keys are the cluster's. While no control plane of the file has any, those of
// its other hosts are tried, and count when the cluster's own API server says
// that the file applied last names such a host as a control plane.
func (o *Observer) keys(ctx context.Context, out *Observation) keyring {
	out.former = o.former
	keys := readKeys(out.Goal, out.Facts, o.former)
	shared := keys.candidate(out.Goal)
	if shared == nil {
		return keys
	}
	v := o.askAPI(ctx, out, shared)
	if v.Err != nil || !slices.ContainsFunc(v.masters, func(id model.HostID) bool { _, has := keys.claimed[id]; return has }) {
		return keys
	}
	o.mu.Lock()
	o.former = v.masters
	o.verify(out.Goal)
	out.Facts = maps.Clone(o.facts)
	o.mu.Unlock()
	out.former = v.masters
	return readKeys(out.Goal, out.Facts, v.masters)
}

// late are the hosts that were seen without data of etcd, and are voters by the
// list that was asked for after that: their etcd may have come up in between.
func (o *Observation) late() (ids []model.HostID) {
	for id, m := range o.Etcd.Members {
		if f, seen := o.Facts[id]; seen && f.Err == nil && !f.Data && !m.Learner && len(m.ClientURLs) > 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// Overdue says that the host's answer was not waited for: what is known of it
// is of a look before.
func (o *Observation) Overdue(id model.HostID) bool { return o.silent[id] }

// join remembers etcd's members, by its own list.
func (o *Observer) join(v EtcdView) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range v.Members {
		if o.members == nil {
			o.members = map[model.HostID]bool{}
		}
		o.members[id] = true
	}
}

// recall adds the orphans to an observation.
func (o *Observer) recall(out *Observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.orphans == nil {
		o.orphans = map[model.HostID]string{}
	}
	for id := range out.Etcd.Members {
		o.orphans[id] = "it is an etcd member that the file does not name"
	}
	for id := range out.API.Nodes {
		o.orphans[id] = "it is a node that the file does not name"
	}
	for id, why := range o.orphans {
		if _, known := out.Facts[id]; !known {
			out.Facts[id] = Facts{Err: errors.New(why)}
		}
	}
}

// meet connects to hosts that left the file. It is called only while no step
// runs, for steps read the map of hosts.
func (o *Observer) meet(departed []kubeapi.Departed) (more bool) {
	for _, d := range departed {
		id := model.HostID(d.Name)
		if o.Hosts[id] == nil && o.Connect != nil {
			o.Hosts[id] = o.Connect(d)
			more = true
		}
	}
	return more
}
