package step_test

import (
	"fmt"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/step/steptest"
)

// A comeback is a recovery or a restore onto cp1.
type comeback struct {
	name, cps string
	dead      []model.HostID
	own       bool // with the data of cp1's member; else with a snapshot
	pods      bool // etcd and the API server are static pods
	risk      plan.Risk
}

var comebacks = []comeback{
	{"recover", "cp1 cp2 cp3", []model.HostID{"cp2", "cp3"}, true, false, plan.Exposed},
	{"recover-of-5", "cp1 cp2 cp3 cp4 cp5", []model.HostID{"cp3", "cp4", "cp5"}, true, false, plan.Exposed},
	{"recover-snapshot", "cp1 cp2 cp3", []model.HostID{"cp2", "cp3"}, false, false, plan.Exposed},
	{"restore", "cp1 cp2 cp3", nil, false, false, plan.Outage},
	{"restore-of-1", "cp1", nil, false, false, plan.Outage},
	{"restore-one-dead", "cp1 cp2 cp3", []model.HostID{"cp3"}, false, false, plan.Outage},
	{"recover-pods", "cp1 cp2 cp3", []model.HostID{"cp2", "cp3"}, true, true, plan.Exposed},
}

// begin is what there is, and what is wanted, with the recovery and without.
func (b comeback) begin() (truth, want, file model.Cluster) {
	if file = steptest.Want(b.cps, "w1"); b.pods {
		file = steptest.Pods(file)
	}
	want = file.Clone()
	var others []model.HostID
	for _, id := range want.Critical() {
		if id != "cp1" {
			others = append(others, id)
		}
	}
	want.Survivor = "cp1"
	want.Recovery = model.Recovery{ID: "new", Own: b.own, Supersedes: model.SetOf("old"), Others: model.SetOf(others...)}
	truth = start(steptest.Local, b.cps, "w1", file)
	if b.pods {
		truth = steptest.Pods(truth)
	}
	return truth, want, file
}

// looked is what is seen while a recovery is wanted, or not.
func looked(truth, want model.Cluster, dead ...model.HostID) model.Cluster {
	c := observed(truth, dead...)
	goal.Recovering(&c, want)
	return c
}

func TestGoldenRecoveries(t *testing.T) {
	for _, b := range comebacks {
		t.Run(b.name, func(t *testing.T) {
			truth, want, _ := b.begin()
			p := plan.Make(looked(truth, want, b.dead...), want, step.Rules())
			if len(p.Blocked) > 0 || p.Risk() > b.risk {
				t.Errorf("risk %v, blocked %v", p.Risk(), p.Blocked)
			}
			if last := p.Last(); len(p.Deferred) == 0 && !satisfied(last, want) {
				t.Errorf("at the end there lacks: %s", missing(last, want))
			}
			var dead []string
			for _, id := range b.dead {
				dead = append(dead, string(id))
			}
			golden(t, b.name, fmt.Sprintf("# made %s|w1; dead %s; onto cp1, own data %t\n", b.cps, strings.Join(dead, " "), b.own)+p.Text())
		})
	}
}

// TestRecoveryCutShort cuts each recovery short at every point, with the death of
// one host in turn (of each with the tag long) and without one. The same command
// goes on, and comes to the same end once all are back; so does apply, with the
// data of either before the swap and of the new cluster after it. Nothing is an
// outage that was not agreed to, and no data is replaced but on the host that has
// recorded its choice.
func TestRecoveryCutShort(t *testing.T) {
	for _, b := range comebacks {
		if b.name == "recover-of-5" {
			continue // no other kind of plan, and many times the worlds
		}
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			truth, want, file := b.begin()
			p := plan.Make(looked(truth, want, b.dead...), want, step.Rules())
			for i, st := range p.Stages {
				for k, half := range cuts(truth, st) {
					if on, ok := rebooted(half, file); ok {
						if err := (cut{truth: on, want: want, file: file, dead: b.dead, allowed: b.risk}).goOn(); err != nil {
							t.Fatalf("stage %d, half %d, then all were rebooted: %v", i+1, k, err)
						}
					}
					r := cut{truth: half, want: want, file: file, dead: b.dead, allowed: b.risk}
					if err := r.goOn(); err != nil {
						t.Fatalf("stage %d, half %d: %v", i+1, k, err)
					}
					for n, more := range half.IDs() {
						if (i+k+n)%parts > 0 {
							continue
						}
						if err := r.sane(plan.Make(looked(half, want, append([]model.HostID{more}, b.dead...)...), want, step.Rules())); err != nil {
							t.Fatalf("stage %d, half %d, dead %q too: the same command: %v", i+1, k, more, err)
						}
					}
				}
				before := truth
				truth = truth.Clone()
				for _, s := range st.Steps {
					s.Effect(&truth)
				}
				truth = steptest.AtSwap(before, truth)
			}
		})
	}
}

// cuts are the states that a stage can be left in.
func cuts(before model.Cluster, st plan.Stage) []model.Cluster {
	out := []model.Cluster{before}
	for n := range st.Steps {
		for _, half := range []bool{true, false} {
			for _, rest := range []bool{true, false} { // the others are done, or not begun
				c := before.Clone()
				for i, s := range st.Steps {
					switch {
					case i == n && half:
						s.Interim(&c)
					case i == n || rest:
						s.Effect(&c)
					}
				}
				out = append(out, steptest.AtSwap(before, c))
			}
		}
	}
	return out
}

// rebooted is a truth whose hosts have all lost their power once the data was in
// place: what is installed runs again, with the old data on all but cp1.
func rebooted(c, file model.Cluster) (model.Cluster, bool) {
	c = c.Clone()
	for _, id := range c.IDs() {
		c.Edit(id, func(h *model.Host) {
			for v := range h.Components {
				if u := &h.Components[v]; u.Disk.Not("") {
					u.Running = file.Hosts[id].Components[v].Running
				}
			}
			h.EtcdVia = file.Hosts[id].EtcdVia
			if id == "cp1" {
				h.Etcd.Healthy, h.Etcd.Member, h.Ready = model.Is(true), model.Is(model.Voter), model.Is(true)
			}
		})
	}
	return c, c.Hosts["cp1"].Etcd.Recovery.InPlace
}

// cut is a recovery that ended in the middle.
type cut struct {
	truth, want, file model.Cluster
	dead              []model.HostID
	allowed           plan.Risk
}

func (r cut) goOn() error {
	// The same command goes on, while those are dead that were so before.
	end, err := r.run(r.truth, r.want, r.dead...)
	if err != nil {
		return fmt.Errorf("the same command, later: %w", err)
	}
	if !end.Hosts["cp1"].Etcd.Recovery.InPlace || !end.Health().Etcd || !end.Health().API {
		return fmt.Errorf("it ends with etcd %t, API %t, its data %+v", end.Health().Etcd, end.Health().API, end.Hosts["cp1"].Etcd)
	}
	if len(r.dead) == 0 && !satisfied(end, r.want) {
		return fmt.Errorf("the same command: there lacks %s", missing(end, r.want))
	}
	// Or a person applies instead, once all are back. In the middle of the swap
	// there is no way back: what serves again stops, as the plan says.
	if h := r.truth.Hosts["cp1"].Etcd.Recovery; h.IsBinding() && !h.InPlace {
		r.allowed = plan.Outage
	}
	if end, err = r.run(r.truth, r.file); err != nil {
		return fmt.Errorf("apply, once all are back: %w", err)
	}
	if !satisfied(end, r.file) {
		return fmt.Errorf("apply, once all are back: there lacks %s", missing(end, r.file))
	}
	return nil
}

// run takes a truth to the end of its plan.
func (r cut) run(truth, want model.Cluster, dead ...model.HostID) (model.Cluster, error) {
	have := looked(truth, want, dead...)
	p := plan.Make(have, want, step.Rules())
	if len(p.Blocked) > 0 || len(p.Deferred) > 0 && len(dead) == 0 {
		return have, fmt.Errorf("not all can be done:\n%s", p.Text())
	}
	return p.Last(), r.sane(p)
}

// sane checks what no plan may do.
func (r cut) sane(p plan.Plan) error {
	before := p.Have
	for _, st := range p.Stages {
		if st.Risk > r.allowed {
			return fmt.Errorf("risk %v, of %v that was agreed to:\n%s", st.Risk, r.allowed, p.Text())
		}
		for _, s := range st.Steps {
			a := s.About()
			h := before.Hosts[a.Host]
			switch a.Kind {
			case "swap-data":
				if h.Etcd.Recovery.Chosen.ID != "new" || a.Host != "cp1" {
					return fmt.Errorf("data is replaced on %s, which has not recorded it:\n%s", a.Host, p.Text())
				}
			case "set-aside":
				if !h.Etcd.Member.Is(model.NoMember) || !before.Quorum("") {
					return fmt.Errorf("data of a member is set aside on %s:\n%s", a.Host, p.Text())
				}
			case "remove-member":
				return fmt.Errorf("%s is removed:\n%s", a.Host, p.Text())
			}
			if err := honest(s, before); err != nil {
				return fmt.Errorf("%s: %w", a.Key(), err)
			}
		}
		before = st.After
	}
	return nil
}
