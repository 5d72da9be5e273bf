package observe

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
)

// patience is how long a look at some hosts waits for the slowest: one that is
// silent must not hold up the others. What it says later is there at the next look.
const patience = 2 * time.Second

// waiting is how long a look waits for hosts; zero: until they answer, or fail.
type waiting struct {
	all     time.Duration // for any
	workers time.Duration // for those whose loss could not harm the control plane
}

// workerPatience is how long a look at all hosts waits for a worker while steps
// run. A worker that is slow by intention must not hold up the control plane.
const workerPatience = 4 * time.Second

// SayAfter is when a person is told for which hosts a first look waits.
const SayAfter = 5 * time.Second

// seekEvery is the pause between two attempts to reach a host that is lost.
const seekEvery = 2 * time.Second

// probe looks at hosts side by side, at each once at a time, and waits for those
// that were not lost before.
func (o *Observer) probe(ctx context.Context, frame *goal.Goal, ids []model.HostID, wait waiting) {
	var fresh, overdue, others []chan struct{}
	o.mu.Lock()
	o.frame = frame
	first, most := o.facts == nil, probeLimit(o.slowest)
	if first {
		o.facts, o.looking, o.seeking = map[model.HostID]Facts{}, map[model.HostID]chan struct{}{}, map[model.HostID]bool{}
	}
	for _, id := range ids {
		if o.Hosts[id] == nil || o.seeking[id] {
			continue // known from others only, or being looked for
		}
		end, busy := o.looking[id]
		if busy {
			overdue = append(overdue, end)
			continue
		}
		if end := o.ask(ctx, frame, id); wait.workers > 0 && o.harmless(id) {
			others = append(others, end)
		} else {
			fresh = append(fresh, end)
		}
	}
	o.mu.Unlock()
	var done <-chan time.Time
	if wait.workers > 0 {
		defer await(others, time.After(wait.workers))
	}
	if wait.all == 0 {
		fresh = append(fresh, overdue...)
	} else {
		// Who has kept us waiting before is waited for only when there is nobody else.
		if len(fresh) == 0 {
			fresh = overdue
		}
		done = time.After(wait.all)
	}
	if first && done == nil && o.Waits != nil && !await(fresh, time.After(SayAfter)) {
		if late := o.unanswered(); len(late) > 0 {
			o.Waits(late, most)
		}
	}
	await(fresh, done)
}

// await waits for all ends, or until it is time, which is no.
func await(ends []chan struct{}, done <-chan time.Time) bool {
	for _, end := range ends {
		select {
		case <-end:
		case <-done:
			return false
		}
	}
	return true
}

// unanswered are the hosts that are being looked at, sorted.
func (o *Observer) unanswered() []model.HostID {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.looking))
}

// harmless says that neither etcd nor an API server can be lost with a host: it
// is a worker, was seen before with neither, and is no member of etcd. The caller
// holds the mutex.
func (o *Observer) harmless(id model.HostID) bool {
	h, named := o.File.Host(string(id))
	f, seen := o.facts[id]
	return named && seen && !h.Has(spec.RoleControlPlane) && !h.Has(spec.RoleEtcd) && !o.members[id] &&
		!f.Data && !f.Services[model.Etcd].Installed && !f.Services[model.APIServer].Installed
}

// warm begins to connect to hosts before a first look, while what they are to be
// asked is made.
func (o *Observer) warm(ctx context.Context, ids []model.HostID) {
	o.mu.Lock()
	first := o.facts == nil
	o.mu.Unlock()
	for _, id := range ids {
		if h := o.Hosts[id]; first && h != nil {
			host.Warm(ctx, h)
		}
	}
}

// ask begins to probe a host; the caller holds the mutex.
func (o *Observer) ask(ctx context.Context, frame *goal.Goal, id model.HostID) chan struct{} {
	end, h, limit := make(chan struct{}), o.Hosts[id], probeLimit(o.slowest)
	o.looking[id] = end
	go func() {
		f := Probe(ctx, h, frame, id, limit)
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.looking, id)
		close(end)
		if o.seeking[id] {
			return // it was lost meanwhile, and is being looked for
		}
		o.note(id, f)
		if silent(f.Err) && ctx.Err() == nil {
			o.seek(ctx, h, frame, id)
		}
	}()
	return end
}

// silent says that a host gave no answer at all. One that refuses us, by its
// keys or passwords, is not asked again and again: it might lock us out.
func silent(err error) bool {
	return errors.Is(err, host.ErrUnreachable) || errors.Is(err, context.DeadlineExceeded)
}

// seek asks a host until it answers or ctx ends; the caller holds the mutex.
func (o *Observer) seek(ctx context.Context, h host.Host, frame *goal.Goal, id model.HostID) {
	o.seeking[id] = true
	limit := probeLimit(o.slowest)
	go func() {
		for {
			select {
			case <-ctx.Done():
			case <-time.After(seekEvery):
			}
			f := Probe(ctx, h, frame, id, limit)
			o.mu.Lock()
			if ctx.Err() != nil {
				// Whoever looks next looks for itself.
				delete(o.seeking, id)
				o.mu.Unlock()
				return
			}
			o.note(id, f)
			if !silent(f.Err) {
				delete(o.seeking, id)
				o.mu.Unlock()
				return
			}
			o.mu.Unlock()
		}
	}()
}

// note remembers what was seen. Of a host that does not answer, its nature
// stays as it was seen before: what others shall be depends on it.
func (o *Observer) note(id model.HostID, f Facts) {
	if was := o.facts[id]; f.Err != nil {
		f.Files, f.Links = was.Files, was.Links
		f.CgroupV1, f.ResolvConf, f.Conflist = was.CgroupV1, was.ResolvConf, was.Conflist
	} else if h, named := o.File.Host(string(id)); named && h.Has(spec.RoleControlPlane) { // no worker holds up the others
		o.slowest = max(o.slowest, f.Took)
	}
	o.facts[id] = f
}

// Lost says that a host could not be reached just now, by the error of a step. It
// counts as unreached at once; whether it is back shows in the background.
func (o *Observer) Disconnected(ctx context.Context, id model.HostID, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.Hosts[id] == nil || o.facts == nil || o.seeking[id] {
		return
	}
	o.note(id, Facts{Err: err})
	if _, busy := o.looking[id]; !busy {
		o.ask(ctx, o.frame, id)
	}
}

// Sought says that a host did not answer and is looked for in the background.
func (o *Observer) Sought(id model.HostID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seeking[id]
}
