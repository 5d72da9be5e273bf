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

// adopted begins the name of a change of hosts that others have made.
const adopted = "adopted: "

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
	{adopted + "a worker leaves", "cp1", "cp1", "w1 w2", "w1", false, false, steptest.KubeadmFixed, steptest.KubeadmFixed},
	{adopted + "shrink", "cp1 cp2 cp3", "cp1", "w1", "w1", false, false, steptest.KubeadmOutside, steptest.KubeadmOutside},
	{adopted + "replace", "cp1 cp2 cp3", "cp2 cp3 cp4", "w1", "w1", false, false, steptest.Kubeadm, steptest.Kubeadm},
	{"fixed: convert", "cp1", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.Fixed, ""},
	{"builtin: create", "", "cp1 cp2 cp3", "", "w1", false, false, "", steptest.Builtin},
	{"builtin: grow", "cp1", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.Builtin, steptest.Builtin},
	{"builtin: replace", "cp1 cp2 cp3", "cp1 cp2 cp4", "w1", "w1", false, false, steptest.Builtin, steptest.Builtin},
	{"builtin: recovered", "cp1 cp2 cp3", "cp1 cp2 cp3", "w1", "w1", false, true, steptest.Builtin, steptest.Builtin},
	{"to builtin, one leaves", "cp1 cp2 cp3", "cp1 cp2", "w1", "w1", false, false, "", steptest.Builtin},
	{"haproxy: create", "", "cp1 cp2 cp3", "", "lb1 lb2 w1", false, false, "", steptest.HAProxy},
	{"haproxy: grow", "cp1", "cp1 cp2 cp3", "lb1 lb2 w1", "lb1 lb2 w1", false, false, steptest.HAProxy, steptest.HAProxy},
	{"to haproxy", "cp1 cp2 cp3", "cp1 cp2 cp3", "w1", "lb1 lb2 w1", false, false, "", steptest.HAProxy},
	{"haproxy to nginx", "cp1 cp2 cp3", "cp1 cp2 cp3", "lb1 lb2 w1", "lb1 lb2 w1", false, false, steptest.HAProxy, ""},
	{"haproxy to virtual", "cp1 cp2 cp3", "cp1 cp2 cp3", "lb1 lb2 w1", "lb1 lb2 w1", false, false, steptest.HAProxy, steptest.Virtual},
	{"virtual to haproxy", "cp1 cp2 cp3", "cp1 cp2 cp3", "lb1 lb2 w1", "lb1 lb2 w1", false, false, steptest.Virtual, steptest.HAProxy},
	{"builtin to virtual", "cp1 cp2 cp3", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.Builtin, steptest.Virtual},
	{"virtual: grow", "cp1", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.Virtual, steptest.Virtual},
	{"nginx to outside", "cp1 cp2 cp3", "cp1 cp2 cp3", "w1", "w1", false, false, "", steptest.Outside},
	{"builtin to outside", "cp1 cp2 cp3", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.Builtin, steptest.Outside},
	{"haproxy to outside", "cp1 cp2 cp3", "cp1 cp2 cp3", "lb1 lb2 w1", "lb1 lb2 w1", false, false, steptest.HAProxy, steptest.Outside},
	{"outside to builtin", "cp1 cp2 cp3", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.Outside, steptest.Builtin},
	{"outside to haproxy", "cp1 cp2 cp3", "cp1 cp2 cp3", "w1", "lb1 lb2 w1", false, false, steptest.Outside, steptest.HAProxy},
	{"kubeadm to outside", "cp1 cp2 cp3", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.Kubeadm, steptest.KubeadmNamed},
	{"to nginx", "cp1 cp2 cp3", "cp1 cp2 cp3", "w1", "w1", false, false, steptest.Builtin, ""},
}

func start(ways steptest.Ways, cps, workers string, w model.Cluster) model.Cluster {
	if cps == "" {
		return fresh(w, nothing())
	}
	c := fresh(w, steptest.MadeBy(ways, cps, workers))
	for id, h := range w.Hosts { // somebody else's balancer is there before it is used
		if is := c.Hosts[id]; h.EndpointUp.Is(true) && is.Named.Not(model.NoWay) {
			c.Edit(id, func(h *model.Host) { h.EndpointUp = model.Is(true) })
		}
	}
	return c
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

// TestCrashAndDeath cuts every plan short at every point, without a death and with
// that of one host in turn, of each with the tag long: going on is never an outage, never founds a second
// cluster, and ends where the file wants it once the host is back.
func TestCrashAndDeath(t *testing.T) {
	begin := time.Now()
	var count atomic.Int64
	t.Cleanup(func() { t.Logf("%d worlds in %v", count.Load(), time.Since(begin)) })
	for _, ch := range changes {
		t.Run(ch.name, func(t *testing.T) {
			t.Parallel()
			w := steptest.WantBy(ch.ways, ch.to, ch.w)
			from := start(ch.was, ch.cps, ch.workers, w)
			if ch.pods {
				w, from = pods(w), pods(from)
			}
			if strings.HasPrefix(ch.name, adopted) {
				from, w = steptest.Adopted(from, w)
			}
			if ch.recovered {
				recovered(&from, "cp1")
			}
			p := plan.Make(from, w, step.Rules())
			if len(p.Blocked)+len(p.Deferred) > 0 || !satisfied(p.Last(), w) {
				t.Fatal(p.Text())
			}
			all := worlds{w, p.Risk(), once[view, outcome]{}, once[view, error]{}, once[uint64, bool]{}}
			before := p.Have
			r := rand.New(rand.NewPCG(1, 2))
			for i, st := range p.Stages {
				if err := mixed(r, 200, before, st); err != nil {
					t.Fatalf("stage %d: %v", i+1, err)
				}
				for k, truth := range halves(before, w, st) {
					for n, dead := range append(truth.IDs(), "") {
						if dead == "w2" || dead != "" && (i+k+n)%parts > 0 {
							continue
						}
						count.Add(1)
						if err := all.goOn(truth, dead); err != nil {
							t.Fatalf("stage %d, half %d, dead %q: %v", i+1, k, dead, err)
						}
					}
				}
				before = st.After
			}
		})
	}
}

// worlds are what one change can lead to.
type worlds struct {
	want    model.Cluster
	allowed plan.Risk
	plans   once[view, outcome]
	ends    once[view, error]  // once all hosts are back
	goals   once[uint64, bool] // states that are what is wanted, and where nothing is to be done
}

// outcome is what matters of a plan.
type outcome struct {
	last    model.Cluster
	blocked bool
	err     error
}

// goOn applies after a change that was cut short: with a host dead first, then
// with all of them.
func (w worlds) goOn(truth model.Cluster, dead model.HostID) error {
	later := truth
	if dead != "" {
		seen := observed(truth, dead)
		p := w.plans.get(in(truth, seen), func() outcome { return w.replan(truth, seen) })
		if p.err != nil {
			return fmt.Errorf("with it dead: %w", p.err)
		}
		if h := seen.Health(); h.Etcd && h.API && p.blocked {
			return fmt.Errorf("blocked though the cluster serves:\n%s", w.text(seen))
		}
		if !p.blocked {
			later = back(truth, p.last, dead)
		}
	}
	seen := observed(later)
	return w.ends.get(in(truth, seen), func() error {
		p := w.replan(truth, seen)
		if p.err != nil {
			return fmt.Errorf("once back: %w", p.err)
		}
		if !w.goals.get(digest(p.last), func() bool {
			return satisfied(p.last, w.want) && plan.Make(p.last, w.want, step.Rules()).Empty()
		}) {
			return fmt.Errorf("once back, not what is wanted (%s):\n%s", missing(p.last, w.want), w.text(seen))
		}
		return nil
	})
}

// view is what is seen, and of the truth what sane asks for.
type view struct {
	seen       uint64
	born, keys bool
}

func in(truth, seen model.Cluster) view {
	return view{digest(seen), truth.Bootstrapped(), truth.CAsCreated.Is(true)}
}

func (w worlds) text(seen model.Cluster) string { return plan.Make(seen, w.want, step.Rules()).Text() }

// replan plans, and checks what no plan may do.
func (w worlds) replan(truth, seen model.Cluster) outcome {
	p := plan.Make(seen, w.want, step.Rules())
	o := outcome{last: p.Last(), blocked: len(p.Blocked) > 0}
	if w.allowed < plan.Outage && p.Risk() == plan.Outage {
		o.err = fmt.Errorf("an outage:\n%s", p.Text())
	} else if err := sane(p, truth); err != nil {
		o.err = fmt.Errorf("%w:\n%s", err, p.Text())
	}
	return o
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
