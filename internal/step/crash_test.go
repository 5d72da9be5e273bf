package step_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/step/steptest"
)

// changes are the plans whose every point is cut short.
var changes = []struct {
	name       string
	cps, to    string
	workers, w string
	pods       bool // etcd and the API server are static pods
	recovered  bool // onto cp1; the others come back with data of the superseded cluster
	was, ways  steptest.Ways
}{
	{"create", "", "cp1 cp2 cp3", "", "w1 w2", false, false, "", ""},
	{"create 1", "", "cp1", "", "w1", false, false, "", ""},
	{"create 5", "", "cp1 cp2 cp3 cp4 cp5", "", "", false, false, "", ""},
	{"convert 1 to 3", "cp1", "cp1 cp2 cp3", "w1 w2", "w1 w2", false, false, "", ""},
	{"grow 3 to 5", "cp1 cp2 cp3", "cp1 cp2 cp3 cp4 cp5", "w1", "w1", false, false, "", ""},
	{"shrink 5 to 3", "cp1 cp2 cp3 cp4 cp5", "cp1 cp2 cp3", "w1", "w1", false, false, "", ""},
	{"shrink 3 to 1", "cp1 cp2 cp3", "cp1", "w1", "w1", false, false, "", ""},
	{"replace", "cp1 cp2 cp3", "cp1 cp2 cp4", "w1 w2", "w1", false, false, "", ""},
	{"move 1", "cp1", "cp2", "w1", "w1", false, false, "", ""},
	{"move 3", "cp1 cp2 cp3", "cp4 cp5 cp6", "w1", "w1", false, false, "", ""},
	{"recovered", "cp1 cp2 cp3", "cp1 cp2 cp3", "w1", "w1", false, true, "", ""},
	{"recovered, one leaves", "cp1 cp2 cp3", "cp1 cp2", "w1", "w1", false, true, "", ""},
	{"fixed: create", "", "cp1", "", "w1", false, false, "", steptest.Fixed},
	{"fixed: grow", "cp1", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.Fixed, steptest.Fixed},
	{"fixed to local", "cp1", "cp1", "w1 w2", "w1 w2", false, false, steptest.Fixed, ""},
	{"shared: replace", "cp1 cp2 cp3", "cp1 cp2 cp4", "lb1 lb2 w1", "lb1 lb2 w1", false, false, steptest.Shared, steptest.Shared},
	{"outside: create", "", "cp1 cp2 cp3", "", "w1", false, false, "", steptest.Outside},
	{"balanced: create", "", "cp1 cp2 cp3", "", "w1", false, false, "", steptest.Balanced},
	{"balanced: grow", "cp1", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.Balanced, steptest.Balanced},
	{"balanced: shrink", "cp1 cp2 cp3", "cp1", "w1", "w1", false, false, steptest.Balanced, steptest.Balanced},
	{"balanced: replace", "cp1 cp2 cp3", "cp1 cp2 cp4", "w1", "w1", false, false, steptest.Balanced, steptest.Balanced},
	{"local to balanced", "cp1 cp2 cp3", "cp1 cp2 cp3", "w1", "w1", false, false, "", steptest.Balanced},
	{"create, pods", "", "cp1 cp2 cp3", "", "w1", true, false, "", ""},
	{"grow 1 to 3, pods", "cp1", "cp1 cp2 cp3", "w1", "w1", true, false, "", ""},
	{"shrink 3 to 1, pods", "cp1 cp2 cp3", "cp1", "w1", "w1", true, false, "", ""},
	{"move 1, pods", "cp1", "cp2", "w1", "w1", true, false, "", ""},
	{"kubeadm: create", "", "cp1 cp2 cp3", "", "w1", false, false, "", steptest.Kubeadm},
	{"kubeadm: grow", "cp1", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.Kubeadm, steptest.Kubeadm},
	{"kubeadm: shrink", "cp1 cp2 cp3", "cp1", "w1", "w1", false, false, steptest.Kubeadm, steptest.Kubeadm},
	{"kubeadm: replace", "cp1 cp2 cp3", "cp1 cp2 cp4", "w1", "w1", false, false, steptest.Kubeadm, steptest.Kubeadm},
	{"kubeadm: without endpoint", "", "cp1", "", "w1", false, false, "", steptest.KubeadmFixed},
	{"kubeadm: convert", "cp1", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.KubeadmFixed, steptest.Kubeadm},
	{"fixed: convert", "cp1", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.Fixed, ""},
	{"builtin: create", "", "cp1 cp2 cp3", "", "w1", false, false, "", steptest.Builtin},
	{"builtin: grow", "cp1", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.Builtin, steptest.Builtin},
	{"builtin: replace", "cp1 cp2 cp3", "cp1 cp2 cp4", "w1", "w1", false, false, steptest.Builtin, steptest.Builtin},
	{"builtin: recovered", "cp1 cp2 cp3", "cp1 cp2 cp3", "w1", "w1", false, true, steptest.Builtin, steptest.Builtin},
	{"to builtin, one leaves", "cp1 cp2 cp3", "cp1 cp2", "w1", "w1", false, false, "", steptest.Builtin},
	{"to nginx", "cp1 cp2 cp3", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.Builtin, ""},
}

func start(ways steptest.Ways, cps, workers string, w model.Cluster) model.Cluster {
	if cps == "" {
		return fresh(w, nothing())
	}
	return fresh(w, steptest.MadeBy(ways, cps, workers))
}

// halves are the states that a stage can be left in: no step, all steps, each
// step alone, half done and done, and each one half done after all others.
func halves(before, want model.Cluster, st plan.Stage) []model.Cluster {
	out := []model.Cluster{before}
	state := func(half func(i int) (interim, effect bool)) {
		c := before.Clone()
		for i, s := range st.Steps {
			if interim, effect := half(i); effect {
				s.Effect(&c)
			} else if interim {
				s.Interim(&c)
			}
		}
		out = append(out, atBirth(before, c, want))
	}
	state(func(int) (bool, bool) { return true, false })
	state(func(int) (bool, bool) { return false, true })
	for n, s := range st.Steps {
		if h := want.Hosts[s.About().Host]; h.Roles == model.Worker && s.About().Host != "w1" {
			continue // one worker is as good as another
		}
		state(func(i int) (bool, bool) { return i == n, false })
		state(func(i int) (bool, bool) { return false, i == n })
		state(func(i int) (bool, bool) { return i == n, i != n })
	}
	return out
}

// TestCrashAndDeath cuts every plan short at every point, with every host's
// death and without one: going on is never an outage, never founds a second
// cluster, and ends where the file wants it once the host is back.
func TestCrashAndDeath(t *testing.T) {
	begin := time.Now()
	var worlds atomic.Int64
	t.Cleanup(func() { t.Logf("%d worlds in %v", worlds.Load(), time.Since(begin)) })
	for _, ch := range changes {
		t.Run(ch.name, func(t *testing.T) {
			t.Parallel()
			w := steptest.WantBy(ch.ways, ch.to, ch.w)
			from := start(ch.was, ch.cps, ch.workers, w)
			if ch.pods {
				w, from = pods(w), pods(from)
			}
			if ch.recovered {
				recovered(&from, "cp1")
			}
			p := plan.Make(from, w, step.Rules())
			if len(p.Blocked)+len(p.Deferred) > 0 || !satisfied(p.Last(), w) {
				t.Fatal(p.Text())
			}
			before := p.Have
			r := rand.New(rand.NewPCG(1, 2))
			for i, st := range p.Stages {
				if err := mixed(r, 200, before, st); err != nil {
					t.Fatalf("stage %d: %v", i+1, err)
				}
				for k, truth := range halves(before, w, st) {
					for _, dead := range append(truth.IDs(), "") {
						if dead == "w2" {
							continue
						}
						worlds.Add(1)
						w := world{truth: truth, want: w, dead: dead, allowed: p.Risk()}
						if err := w.goOn(); err != nil {
							t.Fatalf("stage %d, half %d, dead %q: %v", i+1, k, dead, err)
						}
					}
				}
				before = st.After
			}
		})
	}
}

type world struct {
	truth, want model.Cluster
	dead        model.HostID
	allowed     plan.Risk
}

func (w world) goOn() error {
	later := w.truth
	if w.dead != "" {
		seen := observed(w.truth, w.dead)
		p, err := w.replan(seen)
		if err != nil {
			return fmt.Errorf("with it dead: %w", err)
		}
		if h := seen.Health(); h.Etcd && h.API && len(p.Blocked) > 0 {
			return fmt.Errorf("blocked though the cluster serves:\n%s", p.Text())
		}
		if len(p.Blocked) == 0 {
			later = back(w.truth, p.Last(), w.dead)
		}
	}
	p, err := w.replan(observed(later))
	if err != nil {
		return fmt.Errorf("once back: %w", err)
	}
	if last := p.Last(); !satisfied(last, w.want) || !plan.Make(last, w.want, step.Rules()).Empty() {
		return fmt.Errorf("once back, not what is wanted (%s):\n%s", missing(last, w.want), p.Text())
	}
	return nil
}

// replan plans, and checks what no plan may do.
func (w world) replan(seen model.Cluster) (plan.Plan, error) {
	p := plan.Make(seen, w.want, step.Rules())
	if w.allowed < plan.Outage && p.Risk() == plan.Outage {
		return p, fmt.Errorf("an outage:\n%s", p.Text())
	}
	if err := sane(p, w.truth); err != nil {
		return p, fmt.Errorf("%w:\n%s", err, p.Text())
	}
	return p, nil
}

// sane checks what holds for every plan from every state: no circle, no
// second set of keys, no second etcd cluster.
func sane(p plan.Plan, truth model.Cluster) error {
	for _, r := range p.Blocked {
		if strings.Contains(r.Error(), "circle") {
			return r
		}
	}
	before := p.Have
	for _, st := range p.Stages {
		for _, s := range st.Steps {
			a := s.About()
			h := before.Hosts[a.Host]
			joins := h.Etcd.Data.Is(true) || h.Etcd.Member.Is(model.Learner) || h.Etcd.Member.Is(model.Unstarted)
			if a.Kind == "run-etcd" && truth.Bootstrapped() && !joins {
				return fmt.Errorf("%s founds a second etcd", a.Host)
			}
			if a.Kind == "mint" && truth.CAsCreated.Is(true) {
				return fmt.Errorf("%s makes a second set of keys", a.Host)
			}
		}
		before = st.After
	}
	return nil
}
