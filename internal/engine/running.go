package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
)

const (
	pollEvery = 250 * time.Millisecond
	// pollMost is the longest pause between two looks: a host that needs long to
	// answer is left alone for as long, for it has work to do.
	pollMost = 2 * time.Second
	// stepTime bounds a step: its work and the wait for its effect.
	stepTime     = 3 * time.Minute
	downloadTime = 10 * time.Minute
	copyTime     = 15 * time.Minute
	// explainTime bounds the question to a host why a step failed there.
	explainTime = 10 * time.Second
)

// running is a step at work. What its goroutine writes is guarded by the lock
// of the work it belongs to.
type running struct {
	step  step.Action
	env   step.Env
	about plan.About
	risk  plan.Risk // as judged before it began
	begun time.Time
	limit time.Duration           // of its work and the wait for its effect
	waits atomic.Bool             // Do has said that it is too early
	drop  context.CancelCauseFunc // ends it, with why
	did   bool                    // Do has returned well; the effect is waited for
	err   error                   // it failed
}

// inVainError is why a step that waits until it is possible is not waited for.
type inVainError struct{ error }

func (i inVainError) Unwrap() error { return i.error }

// Do is the real half of one step alone, for who looks between steps; its
// effect is not waited for.
func (e *Engine) Do(ctx context.Context, ob *observe.Observation, s plan.Step) error {
	a, ok := s.(step.Action)
	if !ok {
		return fmt.Errorf("%s: %s: this step can be planned but not done yet", s.About().Host, s.About().Title)
	}
	return e.do(ctx, &running{step: a, about: s.About(), env: e.env(ob, s.About().Host), limit: e.limit(s.About())})
}

// do calls the real half, again while it says that it is too early.
func (e *Engine) do(ctx context.Context, r *running) error {
	ctx, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	for {
		err := r.step.Do(ctx, r.env)
		if !errors.Is(err, step.ErrNotYet) {
			return err
		}
		r.waits.Store(true)
		select {
		case <-ctx.Done():
			return fmt.Errorf("it was not possible within %s: %w", r.limit, err)
		case <-time.After(pollEvery):
		}
	}
}

func (e *Engine) limit(a plan.About) time.Duration {
	switch a.Limit {
	case plan.DownloadLimit:
		return downloadTime
	case plan.CopyLimit:
		return copyTime
	case plan.DrainLimit:
		return stepTime + e.DrainTime
	}
	return stepTime
}

// missing tells what of a step's effect is not there.
func missing(s plan.Step, have model.Cluster) string {
	id := s.About().Host
	want := have.Only(id)
	s.Effect(&want)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(want.Addons)) {
		switch is, w := have.Addons[name], want.Addons[name]; {
		case model.Same(is, w):
		case is.Or(model.Installed{}).Digest == w.Or(model.Installed{}).Digest:
			out = append(out, name+" is applied, but its pods are not all ready; see `kubectl -n kube-system describe pods`")
		default:
			out = append(out, fmt.Sprintf("%s is %s, not %s", name, is, w))
		}
	}
	if len(out) > 0 {
		return strings.Join(out, ", ")
	}
	return model.Difference(have.Hosts[id], want.Hosts[id])
}

// explain adds to a failure what the host itself says of it.
func (r *running) explain(ctx context.Context) {
	d, ok := r.step.(interface {
		Diagnose(context.Context, step.Env) string
	})
	if !ok || ctx.Err() != nil || errors.Is(r.err, host.ErrUnreachable) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, explainTime)
	defer cancel()
	if text := strings.TrimSpace(d.Diagnose(ctx, r.env)); text != "" {
		r.err = fmt.Errorf("%w\n%s", r.err, text)
	}
}

// env is what a step on a host works with.
func (e *Engine) env(ob *observe.Observation, id model.HostID) step.Env {
	f := ob.Facts[id]
	recovery, _ := ob.RecoveryOn(id)
	return step.Env{
		Host: e.observer.Hosts[id], Goal: ob.Goal, Have: ob.Have, Files: f.Files, Shared: ob.Shared, Joined: ob.Joined(id),
		CrashLooping: f.CrashLooping, Listed: ob.Etcd.Members, Past: ob.Past(), DataOf: f.DataOf, LivingEtcd: ob.LivingEtcd(),
		Fence: ob.Fence(id), Recovery: recovery,
		Drain: step.Draining{Until: time.Now().Add(e.DrainTime), Force: e.ForceDrain},
		Departed: func(ctx context.Context, c *kubeapi.Client) ([]kubeapi.Departed, error) {
			return observe.Departed(ctx, c, ob.Goal.File)
		},
		On: func(at model.HostID) host.Host { return e.observer.Hosts[at] },
		API: func(ctx context.Context) (*kubeapi.Client, error) {
			// The step's own host first: what is applied through it is seen there.
			// One that leaves may stop at any moment, and comes last.
			ids := append([]model.HostID{id}, ob.Have.Serving()...)
			last := func(at model.HostID) int {
				return 2*rank(!ob.Have.Hosts[at].Roles.Has(model.ControlPlane)) + rank(ob.Overdue(at))
			}
			slices.SortStableFunc(ids, func(a, b model.HostID) int { return last(a) - last(b) })
			for _, at := range ids {
				if h := ob.Have.Hosts[at]; h.Up() && h.Ready.Is(true) {
					return e.observer.API(ctx, e.observer.Hosts[at], ob.Shared)
				}
			}
			return nil, errors.New("no API server answers")
		},
		Etcd: func(ctx context.Context) (*etcd.Client, error) {
			for _, at := range ob.Have.Critical() {
				if h := ob.Have.Hosts[at]; at != id && !ob.Overdue(at) && h.Etcd.Healthy.Is(true) && h.Etcd.Member.Is(model.Voter) {
					return e.observer.Etcd(ctx, e.observer.Hosts[at], ob.Shared)
				}
			}
			return nil, errors.New("no other etcd member with quorum answers")
		},
		EtcdOn: func(ctx context.Context, at model.HostID) (*etcd.Client, error) {
			h, ok := e.observer.Hosts[at]
			if !ok {
				return nil, fmt.Errorf("%s is not connected", at)
			}
			return e.observer.Etcd(ctx, h, ob.Shared)
		},
		Say: func(format string, args ...any) {
			e.tell(Event{Kind: Note, Text: fmt.Sprintf(format, args...)})
		},
		Keep: func(path, at string) { e.tell(kept(id, path, at)) },
	}
}

func rank(last bool) int {
	if last {
		return 1
	}
	return 0
}
