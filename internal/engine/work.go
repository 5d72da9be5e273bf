package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/units"
)

// work is one run of Apply. Steps begin as soon as they can and are safe
// beside those that run; there is no waiting for the slowest of a stage.
type work struct {
	*Engine
	agreed  agreement
	fails   failures
	done    map[string]int // how often, by step
	active  []*running
	stages  int                   // in the plan that was agreed to
	round   int                   // batches of steps begun so far
	looked  time.Time             // at all hosts
	took    time.Duration         // by the last look at some
	lost    time.Time             // since when etcd's quorum is; zero: it is not
	outside map[model.HostID]bool // who was no member of etcd when that was last known
	gaveUp  gaveUp
	told    told
	steady  steady
	waits   bool // for what is late, which was told
	mu      sync.Mutex
	group   sync.WaitGroup
	wake    chan struct{} // some step's Do has returned
}

func (w *work) run(ctx context.Context) error {
	p, ob, err := w.Plan(ctx)
	if err != nil {
		return err
	}
	if len(p.Blocked) > 0 {
		return BlockedError{p}
	}
	w.looked = time.Now()
	whole := true // ob is of all hosts, with nothing running
	fresh := true // ob is of all hosts, as they are now
	for {
		w.identify(ob)
		w.told.keep(&ob.Have)
		if w.seen != nil {
			w.seen(ob)
		}
		if ob, err = w.settle(ctx, ob); err != nil {
			return err
		}
		w.gaveUp.leaveOut(&ob.Have)
		w.told.keep(&ob.Have)
		if w.holds(ob.Have) {
			if ob, err = w.lookAgain(ctx); err != nil {
				return err
			}
			whole, fresh = false, true
			continue
		}
		var next plan.Stage
		if !w.risky() {
			next, _ = plan.Next(ob.Have, ob.Goal.Want, w.rules, w.steps())
		}
		if len(next.Steps) == 0 && len(w.active) == 0 {
			if whole {
				return w.end(ob)
			}
			if ob, err = w.Look(ctx); err != nil {
				return err
			}
			whole, fresh = true, true
			continue
		}
		if !fresh && delicate(next) {
			// It was judged by what some hosts were a while ago.
			if ob, err = w.eyes.Glance(ctx, false); err != nil {
				return err
			}
			fresh = true
			continue
		}
		if err := w.begin(ctx, ob, next); err != nil {
			return err
		}
		whole, fresh = false, false
		if ob, err = w.watch(ctx, ob); err != nil {
			return err
		}
	}
}

// settle takes note of the steps that have ended, and looks again when one has
// failed: the cause may be a host that is lost.
func (w *work) settle(ctx context.Context, ob *observe.Observation) (*observe.Observation, error) {
	failed, err := w.finish(ctx, ob)
	if err != nil {
		return nil, err
	}
	if failed {
		if err := pause(ctx, time.Second); err != nil {
			return nil, err
		}
		if ob, err = w.glance(ctx); err != nil {
			return nil, err
		}
	}
	return ob, w.quorum(ob)
}

// delicate says that with one host less a stage might do harm.
func delicate(st plan.Stage) bool {
	return st.Risk != plan.Safe || slices.ContainsFunc(st.Steps, func(s plan.Step) bool { return s.About().Exclusive != "" })
}

// stops says that a step is at work that stops the control plane of a host
// meanwhile, or what it needs.
func (w *work) stops(id model.HostID, have model.Cluster) bool {
	serves := have.Only(id)
	serves.Edit(id, func(h *model.Host) { h.Ready, h.Etcd.Healthy = model.Is(true), model.Is(true) })
	return slices.ContainsFunc(w.active, func(r *running) bool {
		half := serves.Clone()
		r.step.Interim(&half)
		return half.Hosts[id] != serves.Hosts[id]
	})
}

// steps are those at work.
func (w *work) steps() []plan.Step {
	var out []plan.Step
	for _, r := range w.active {
		out = append(out, r.step)
	}
	return out
}

// risky says that a step is at work that was not safe: what is seen meanwhile
// is half of it, and would make it look harmless.
func (w *work) risky() bool {
	return slices.ContainsFunc(w.active, func(r *running) bool { return r.risk != plan.Safe })
}

// begin starts the steps of a stage that were agreed to.
func (w *work) begin(ctx context.Context, ob *observe.Observation, st plan.Stage) error {
	if len(st.Steps) == 0 {
		return nil
	}
	for _, s := range st.Steps {
		if !w.agreed.covers(s.About(), st.Risk) {
			return NotApprovedError{st, s.About()}
		}
	}
	w.round++
	w.tell(Event{Kind: StageRun, Stage: w.round, Of: max(w.round, w.stages), Text: strings.Join(st.Reasons, "; ")})
	for _, s := range st.Steps {
		a, ok := s.(step.Action)
		if !ok {
			return fmt.Errorf("%s: %s: this step can be planned but not done yet", s.About().Host, s.About().Title)
		}
		r := &running{step: a, about: a.About(), env: w.env(ob, a.About().Host), risk: st.Risk, begun: time.Now(), limit: w.limit(a.About())}
		r.env.Progress = w.progress(r.about)
		ctx, drop := context.WithCancelCause(ctx)
		r.drop = drop
		w.active = append(w.active, r)
		w.tell(Event{Kind: StepRun, Step: &r.about, Text: r.about.Title})
		w.group.Add(1)
		go func() {
			defer w.group.Done()
			defer drop(nil)
			err := w.do(ctx, r)
			if why := (inVainError{}); err != nil && errors.As(context.Cause(ctx), &why) {
				err = why
			}
			w.mu.Lock()
			r.did, r.err = err == nil, err
			w.mu.Unlock()
			select {
			case w.wake <- struct{}{}:
			default:
			}
		}()
	}
	return nil
}

// watch waits until something may have changed, and looks at the hosts where
// effects are waited for; now and then at all, for one of them may be lost.
func (w *work) watch(ctx context.Context, ob *observe.Observation) (*observe.Observation, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-w.wake:
	case <-time.After(max(pollEvery, min(w.took, pollMost))):
	}
	if time.Since(w.looked) > glanceEvery {
		return w.glance(ctx)
	}
	hosts := map[model.HostID]bool{}
	w.mu.Lock()
	for _, r := range w.active {
		if r.did {
			hosts[r.about.Host] = true
		}
	}
	w.mu.Unlock()
	if len(hosts) == 0 {
		return ob, nil
	}
	begun := time.Now()
	defer func() { w.took = time.Since(begun) }()
	return w.eyes.Look(ctx, slices.Collect(maps.Keys(hosts))...)
}

// finish takes out the steps whose effect is there, and those that failed.
func (w *work) finish(ctx context.Context, ob *observe.Observation) (failed bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var still []*running
	for _, r := range w.active {
		took := time.Since(r.begun)
		switch {
		case r.did && plan.Done(r.step, ob.Have):
			if w.done[r.about.Key()]++; w.done[r.about.Key()] <= maxDone {
				w.tell(Event{Kind: StepDone, Step: &r.about, Took: units.Seconds(took)})
				continue
			}
			r.err = fmt.Errorf("its effect did not last: it was done %d times in this run and reverted each time", maxDone)
			w.fails[r.about.Key()] = maxFailures // a further time would not help
		case r.did && took > r.limit:
			// A timeout is an error.
			r.err = fmt.Errorf("its effect was not seen within %s: %s", r.limit, missing(r.step, ob.Have))
		case r.did:
			if r.err = away(r.step, ob.Have); r.err == nil {
				r.err = ended(r.step, ob.Facts[r.about.Host])
			}
		case r.err == nil && r.waits.Load():
			// A host that it needs was lost: without it the way may be another.
			if err := r.step.Need(ob.Have); errors.As(err, new(plan.UnreachedError)) {
				r.drop(inVainError{err})
			}
		}
		if r.err == nil {
			still = append(still, r)
			continue
		}
		failed = true
		if at := model.HostID(host.Unreachable(r.err)); at != "" {
			w.eyes.Disconnected(ctx, at, r.err)
		}
		r.explain(ctx)
		w.tell(Event{Kind: StepFail, Step: &r.about, Took: units.Seconds(took), Err: r.err.Error()})
		fatal := w.fails.note(r.about, r.err)
		if w.gaveUp.take(ob.Have, r.about, fatal) {
			continue
		}
		if fatal != nil && err == nil {
			err = fatal
		}
	}
	w.active = still
	return failed, err
}

// maxRestarts is how often a service may end before the step that began it has
// failed. An API server may end once or twice while others come up.
const maxRestarts = 6

// ended is why the effect of a step is not waited for: what it began ends again
// and again.
func ended(s plan.Step, f observe.Facts) error {
	r, ok := s.(step.Run)
	if !ok {
		return nil
	}
	for _, v := range r.Set {
		if n := f.Services[v].Restarts; n >= maxRestarts && f.CrashLooping(v) {
			return fmt.Errorf("%s has exited %d times", v, n)
		}
	}
	return nil
}

// away is why the effect of a step is not waited for: its host is lost.
func away(s plan.Step, have model.Cluster) error {
	var u plan.UnreachedError
	if errors.As(s.Need(have), &u) && u.Host == s.About().Host {
		return fmt.Errorf("its host was lost before the effect was seen: %w", u)
	}
	return nil
}

// end is how it ends when nothing more can begin.
func (w *work) end(ob *observe.Observation) error {
	p := plan.Make(ob.Have, ob.Goal.Want, w.rules)
	switch {
	case ob.Have.QuorumLost() && !ob.Recovering():
		return QuorumLostError{ob.Have}
	case len(p.Blocked) > 0:
		return errors.Join(w.gaveUp.err(), BlockedError{p})
	case len(w.gaveUp) > 0:
		return w.gaveUp.err()
	case len(p.Deferred) > 0:
		return DeferredError{p.Deferred}
	}
	w.tell(Event{Kind: Finished, Text: "nothing is left to do"})
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
