package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/step/steptest"
)

// world is a cluster on paper that takes time: steps are half done for a while,
// fail, and lose their host. The engine sees it as it sees hosts: in part, and late.
type world struct {
	mu    sync.Mutex
	truth model.Cluster
	want  model.Cluster
	seen  model.Cluster // by the last looks
	r     *rand.Rand
	dead  map[model.HostID]bool
	alone map[string]string // who is at work, by what may change one at a time
	wrong []string

	fails  int          // one step in so many fails
	broken model.HostID // every step there does
	cutAt  int          // before the so-manieth step a host loses its power; 0: none does
	cut    model.HostID // that host
	steady bool         // nothing is lost and nobody agreed to an outage: it must go on serving
	served bool         // it did when the apply began

	late  func(*model.Cluster) // what does not answer in time, until then
	until time.Time
}

func (w *world) rules() (out []plan.Rule) {
	for _, rule := range step.Rules() {
		out = append(out, func(have, want model.Cluster) (steps []plan.Step) {
			for _, s := range rule(have, want) {
				steps = append(steps, paperStep{s, w})
			}
			return steps
		})
	}
	return out
}

// paperStep is a step whose real half happens in the world.
type paperStep struct {
	plan.Step
	w *world
}

func (s paperStep) Do(ctx context.Context, _ step.Env) error { return s.w.do(ctx, s.Step) }

func (w *world) do(ctx context.Context, s plan.Step) error {
	a := s.About()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cutAt--; w.cutAt == 0 {
		w.dead[w.cut] = true
	}
	if w.dead[a.Host] && reaches(a) {
		return fmt.Errorf("%s is dead", a.Host)
	}
	if w.broken == a.Host {
		return errors.New("it fails there")
	}
	if a.Kind == "add-learner" && !w.whole() {
		return step.ErrNotYet
	}
	if by := w.alone[a.Exclusive]; a.Exclusive != "" && by != "" {
		w.wrong = append(w.wrong, fmt.Sprintf("%s beside %s", a.Key(), by))
	}
	w.alone[a.Exclusive] = a.Key()
	defer func() { w.alone[a.Exclusive] = "" }()
	w.change(s.Interim, a)
	if w.r.IntN(w.fails) == 0 {
		return errors.New("it was cut short")
	}
	takes := time.Duration(w.r.IntN(20000)) * time.Millisecond
	w.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-time.After(takes):
	}
	w.mu.Lock()
	if ctx.Err() != nil || w.dead[a.Host] && reaches(a) {
		return fmt.Errorf("%s was lost meanwhile", a.Host)
	}
	w.change(s.Effect, a)
	return nil
}

// whole says that every voter serves: etcd adds nobody otherwise (etcdserver:
// mayAddMember, with strict-reconfig-check).
func (w *world) whole() bool {
	for id, h := range w.truth.Hosts {
		if m := h.Etcd.Member.Or(model.NoMember); (m == model.Voter || m == model.Unstarted) && (w.dead[id] || !h.Etcd.Healthy.Is(true)) {
			return false
		}
	}
	return true
}

// reaches says that a step needs its host to live.
func reaches(a plan.About) bool {
	return !slices.Contains([]string{"remove-member", "delete-node", "forget"}, a.Kind)
}

func (w *world) change(by func(*model.Cluster), a plan.About) {
	born := w.truth.Bootstrapped()
	before := w.truth.Clone()
	by(&w.truth)
	w.truth = steptest.AtSwap(before, w.truth)
	if !born && a.Kind == "run-etcd" { // all that begin together are on the list
		for id, h := range w.want.Hosts {
			if h.Roles.Has(model.EtcdHost) && w.truth.Hosts[id].Etcd.Member.Is(model.NoMember) {
				w.truth.Edit(id, func(h *model.Host) { h.Etcd.Member = model.Is(model.Unstarted) })
			}
		}
	}
	if h := w.truth.Health(); w.steady && w.served && !(h.Etcd && h.API && len(h.Stranded) == 0) {
		w.wrong = append(w.wrong, fmt.Sprintf("%s: etcd %t, API %t, stranded %v", a.Key(), h.Etcd, h.API, h.Stranded))
	}
}

// Look implements eyes: of hosts that were not asked it has what they were, but
// for what the API and etcd tell.
func (w *world) Look(_ context.Context, ids ...model.HostID) (*observe.Observation, error) {
	time.Sleep(200 * time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	var dead []model.HostID
	for id := range w.dead {
		dead = append(dead, id)
	}
	is := steptest.Observed(w.truth, dead...)
	if time.Now().Before(w.until) {
		w.late(&is)
	}
	if w.seen.Hosts != nil && len(ids) > 0 {
		now := is.Clone()
		for id, h := range w.seen.Hosts {
			if !slices.Contains(ids, id) {
				told := is.Hosts[id]
				h.Node, h.Departed, h.Etcd.Member = told.Node, told.Departed, told.Etcd.Member
				now.Put(id, h)
			}
		}
		is = now
	}
	goal.Recovering(&is, w.want)
	w.seen = is
	return &observe.Observation{Have: is.Clone(), Goal: &goal.Goal{Want: w.want}}, nil
}

// Glance implements eyes.
func (w *world) Glance(ctx context.Context, _ bool) (*observe.Observation, error) { return w.Look(ctx) }

// Disconnected implements eyes.
func (w *world) Disconnected(context.Context, model.HostID, error) {}

// apply is one apply of a person who agrees to all that is planned.
func (w *world) apply(t *testing.T) error {
	e := &Engine{eyes: w, rules: w.rules(), Events: func(ev Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.steady && strings.Contains(ev.Text, "lost its quorum") {
			w.wrong = append(w.wrong, ev.Text)
		}
	}}
	p, _, err := e.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Blocked) > 0 {
		return BlockedError{p}
	}
	w.steady = len(w.dead) == 0 && w.cutAt == 0 && p.Risk() < plan.Outage
	w.served = w.truth.Health().API
	return e.Apply(t.Context(), p)
}

var sims = []struct{ from, to string }{
	{"", "cp1 cp2 cp3"}, {"cp1", "cp1 cp2 cp3"}, {"cp1 cp2 cp3", "cp1 cp2 cp3 cp4 cp5"}, {"cp1 cp2 cp3", "cp1"},
	{"cp1 cp2 cp3", "cp1 cp2 cp4"}, {"cp1 cp2 cp3", "cp4 cp5 cp6"}, {"cp1 cp2 cp3 cp4 cp5", "cp2 cp3 cp4"},
}

func simulated(seed uint64, from, to string) *world {
	w := &world{r: rand.New(rand.NewPCG(seed, 0)), want: steptest.Want(to, "w1"), fails: 1 << 30, dead: map[model.HostID]bool{},
		alone: map[string]string{}}
	have := steptest.Nothing()
	if from != "" {
		have = steptest.Made(from, "w1")
	}
	w.truth = steptest.Fresh(w.want, have)
	return w
}

// done says what is left to do.
func (w *world) done() error {
	if p := plan.Make(steptest.Observed(w.truth), w.want, step.Rules()); !p.Empty() {
		return fmt.Errorf("left to do:\n%s", p.Text())
	}
	return nil
}

// However long each step takes, an apply ends where the file wants it, one at a
// time what must be, and serving all the while where its plan says so.
func TestSimulatedApply(t *testing.T) {
	for _, s := range sims {
		for seed := range uint64(3) {
			synctest.Test(t, func(t *testing.T) {
				w := simulated(seed, s.from, s.to)
				begun := time.Now()
				if err := errors.Join(w.apply(t), w.done()); err != nil {
					t.Errorf("%q to %q, seed %d, after %s: %v", s.from, s.to, seed, time.Since(begun), err)
				}
				for _, l := range w.wrong {
					t.Errorf("%q to %q, seed %d: %s", s.from, s.to, seed, l)
				}
			})
		}
	}
}

// A worker on which every step fails keeps the control planes from nothing: they
// become what the file wants, and the apply ends with what failed there.
func TestSimulatedBrokenWorker(t *testing.T) {
	for _, s := range sims {
		synctest.Test(t, func(t *testing.T) {
			w := simulated(1, s.from, s.to)
			w.broken = "w1"
			w.truth.Edit("w1", func(h *model.Host) {
				h.Binaries = model.Is("older")
				h.Components[model.Kubelet].Running = model.Is("")
			})
			err := w.apply(t)
			var failed FailedError
			if !errors.As(err, &failed) || failed.Step.Host != "w1" {
				t.Errorf("%q to %q: %v", s.from, s.to, err)
			}
			if h := w.truth.Health(); !h.Etcd || !h.API {
				t.Errorf("%q to %q: %+v", s.from, s.to, h)
			}
			for id, h := range w.want.Hosts {
				if is := w.truth.Hosts[id]; h.Roles.Has(model.ControlPlane) && !(is.Runs(model.APIServer) && is.Etcd.Member.Is(model.Voter)) {
					t.Errorf("%q to %q: %s is no member", s.from, s.to, id)
				}
			}
			for id, is := range w.truth.Hosts {
				if w.want.Hosts[id].Roles == 0 && is.Etcd.Member.Is(model.Voter) {
					t.Errorf("%q to %q: %s is still a member", s.from, s.to, id)
				}
			}
		})
	}
}

// Steps fail, and a host loses its power in the middle: each apply ends in
// bounded time, and once the host is back, the next ones come to the same end.
func TestSimulatedLosses(t *testing.T) {
	longest := time.Duration(0)
	defer func() { t.Logf("the longest apply took %s", longest) }()
	for _, s := range sims {
		for seed := range uint64(7) {
			synctest.Test(t, func(t *testing.T) {
				w := simulated(seed, s.from, s.to)
				w.fails = 15
				ids := w.truth.IDs()
				w.cut, w.cutAt = ids[w.r.IntN(len(ids))], 1+w.r.IntN(40)
				for range 8 {
					begun := time.Now()
					err := w.apply(t)
					longest = max(longest, time.Since(begun))
					if took := time.Since(begun); took > 9*time.Minute {
						t.Errorf("%q to %q, seed %d: an apply took %s and ended with %v", s.from, s.to, seed, took, err)
					}
					if err == nil && len(w.dead) == 0 {
						break
					}
					clear(w.dead)
				}
				if err := w.done(); err != nil {
					t.Errorf("%q to %q, seed %d, %s lost: %v", s.from, s.to, seed, w.cut, err)
				}
				for _, l := range w.wrong {
					t.Errorf("%q to %q, seed %d: %s", s.from, s.to, seed, l)
				}
			})
		}
	}
}

// A recovery whose steps fail and take their time comes to its end by the same
// command again and again; with the lost hosts back, apply does the rest.
func TestSimulatedRecovery(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			w := simulated(seed, "cp1 cp2 cp3", "cp1 cp2 cp3")
			w.fails = 8
			w.dead["cp2"], w.dead["cp3"] = true, true
			w.want.Survivor = "cp1"
			w.want.Recovery = model.Recovery{ID: "new", Own: seed%2 == 0, Supersedes: model.SetOf("old"),
				Others: model.SetOf[model.HostID]("cp2", "cp3")}
			var err error
			for range 8 {
				err = w.apply(t)
				if errors.As(err, new(DeferredError)) {
					break
				}
			}
			e := w.truth.Hosts["cp1"].Etcd
			if !errors.As(err, new(DeferredError)) || !e.Recovery.InPlace || e.Recovery.Chosen.ID != "" ||
				!steptest.Observed(w.truth, "cp2", "cp3").Health().API {
				t.Errorf("seed %d: it ends with %v and %+v", seed, err, e)
			}
			clear(w.dead)
			w.want.Survivor, w.want.Recovery = "", model.Recovery{}
			for range 8 {
				if err = w.apply(t); err == nil {
					break
				}
			}
			if err := w.done(); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			for _, l := range w.wrong {
				t.Errorf("seed %d: %s", seed, l)
			}
		})
	}
}
