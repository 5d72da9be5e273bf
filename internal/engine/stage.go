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

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/kube"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
)

const (
	pollEvery = 250 * time.Millisecond
	// stepTime bounds a step: its work and the wait for its effect.
	stepTime     = 3 * time.Minute
	packagesTime = 10 * time.Minute
)

type result struct {
	about plan.About
	err   error
}

// running is a step of the stage at work.
type running struct {
	step  step.Action
	env   step.Env
	about plan.About
	begun time.Time
	did   bool  // Do has returned well; the effect is waited for
	err   error // it failed
	done  bool  // the effect was seen
}

// stage runs steps side by side, and observes until the effect of each is
// there. It returns an error when a step has failed too often.
func (e *Engine) stage(ctx context.Context, ob *observe.Observation, st plan.Stage, fails failures) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var all []*running
	var wg sync.WaitGroup
	for _, s := range st.Steps {
		a, ok := s.(step.Action)
		if !ok {
			return fmt.Errorf("%s: %s: this step can be planned but not done yet", s.About().Host, s.About().Title)
		}
		r := &running{step: a, about: a.About(), env: e.env(ob, a.About().Host), begun: time.Now()}
		all = append(all, r)
		e.tell(Event{Kind: StepRun, Step: &r.about, Text: r.about.Title})
		wg.Add(1)
		go func() {
			defer wg.Done()
			err := e.do(ctx, r)
			mu.Lock()
			defer mu.Unlock()
			r.did, r.err = err == nil, err
		}()
	}
	pending := func() (hosts []model.HostID, any bool) {
		mu.Lock()
		defer mu.Unlock()
		set := map[model.HostID]bool{}
		for _, r := range all {
			if r.done || r.err != nil {
				continue
			}
			any = true
			if r.did {
				set[r.about.Host] = true
			}
		}
		return slices.Collect(maps.Keys(set)), any
	}
	for {
		hosts, any := pending()
		if !any {
			break
		}
		if len(hosts) > 0 {
			now, err := e.observer.Look(ctx, hosts...)
			if err != nil {
				cancel()
				wg.Wait()
				return err
			}
			mu.Lock()
			for _, r := range all {
				if r.did && !r.done && slices.Contains(hosts, r.about.Host) {
					e.judge(r, now)
				}
			}
			mu.Unlock()
		}
		select {
		case <-ctx.Done():
			wg.Wait()
			return ctx.Err()
		case <-time.After(pollEvery):
		}
	}
	wg.Wait()
	return e.settle(ctx, all, fails)
}

// do calls the real half, again while it says that it is too early.
func (e *Engine) do(ctx context.Context, r *running) error {
	ctx, cancel := context.WithTimeout(ctx, limit(r.about))
	defer cancel()
	for {
		err := r.step.Do(ctx, r.env)
		if !errors.Is(err, step.ErrNotYet) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it was not possible within %s", limit(r.about))
		case <-time.After(pollEvery):
		}
	}
}

func limit(a plan.About) time.Duration {
	if a.Kind == "packages" || a.Kind == "binaries" {
		return packagesTime
	}
	return stepTime
}

// judge says whether a step's effect is there, or whether it was waited for
// long enough. A timeout is an error.
func (e *Engine) judge(r *running, ob *observe.Observation) {
	if plan.Done(r.step, ob.Have) {
		r.done = true
		e.tell(Event{Kind: StepDone, Step: &r.about, Took: time.Since(r.begun)})
		return
	}
	if time.Since(r.begun) > limit(r.about) {
		r.err = fmt.Errorf("its effect was not seen within %s: %s", limit(r.about), missing(r.step, ob.Have))
	}
}

// missing tells the difference between what is and what should be.
func missing(s plan.Step, have model.Cluster) string {
	id := s.About().Host
	want := have.Only(id)
	s.Effect(&want)
	return model.Difference(have.Hosts[id], want.Hosts[id])
}

// settle tells of the steps that failed.
func (e *Engine) settle(ctx context.Context, all []*running, fails failures) error {
	var results []result
	for _, r := range all {
		if r.err == nil {
			continue
		}
		text := ""
		if d, ok := r.step.(interface {
			Diagnose(context.Context, step.Env) string
		}); ok && ctx.Err() == nil {
			text = strings.TrimSpace(d.Diagnose(ctx, r.env))
		}
		if text != "" {
			r.err = fmt.Errorf("%w\n%s", r.err, text)
		}
		e.tell(Event{Kind: StepFail, Step: &r.about, Took: time.Since(r.begun), Err: r.err.Error()})
		results = append(results, result{r.about, r.err})
	}
	return fails.note(results)
}

// env is what a step on a host works with.
func (e *Engine) env(ob *observe.Observation, id model.HostID) step.Env {
	f := ob.Facts[id]
	return step.Env{
		Host: e.observer.Hosts[id], Goal: ob.Goal, Have: ob.Have, Files: f.Files, Shared: ob.Shared, Joined: f.Kubelet,
		API: func(ctx context.Context) (*kube.Client, error) {
			// The step's own host first: what is applied through it is seen there.
			ids := append([]model.HostID{id}, ob.Have.Serving()...)
			for _, at := range ids {
				if h := ob.Have.Hosts[at]; h.Up() && h.Ready.Is(true) {
					return e.observer.API(ctx, e.observer.Hosts[at], ob.Shared)
				}
			}
			return nil, errors.New("no API server answers")
		},
		Etcd: func(ctx context.Context) (*etcd.Client, error) {
			for _, at := range ob.Have.Critical() {
				if h := ob.Have.Hosts[at]; at != id && h.Etcd.Healthy.Is(true) && h.Etcd.Member.Is(model.Voter) {
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
	}
}
