package step_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/step/steptest"
)

var names = []string{"a", "b", "c", "d", "e", "f", "g"}

// one of some values, or unknown.
func one[T comparable](r *rand.Rand, values ...T) model.Known[T] {
	if i := r.IntN(len(values)*3 + 1); i < len(values)*3 {
		return model.Is(values[i%len(values)])
	}
	return model.Unknown[T]("cannot tell")
}

// chaos is a goal and any state whatever of its hosts, and of some that leave.
func chaos(r *rand.Rand) (have, w model.Cluster) {
	no := model.Installed{}
	n, workers := 1+r.IntN(4), r.IntN(2)
	kinds := []steptest.Ways{"", "", "", steptest.Fixed, steptest.Shared, steptest.Outside, steptest.Balanced, steptest.Balanced,
		steptest.Builtin, steptest.Builtin, steptest.Virtual}
	w = steptest.WantBy(kinds[r.IntN(len(kinds))], strings.Join(names[:n], " "), strings.Join(names[n:n+workers], " "))
	have = model.New("t")
	some := func() model.HostSet {
		var ids []model.HostID
		for _, s := range names[:n+1] {
			if r.IntN(3) > 0 {
				ids = append(ids, model.HostID(s))
			}
		}
		return model.SetOf(ids...)
	}
	for i, s := range names[:n+workers+r.IntN(3)] {
		id := model.HostID(s)
		want, wanted := w.Hosts[id]
		if !wanted {
			want = w.Hosts["a"]
			want.Roles = 0
		}
		if r.IntN(4) == 0 && i > 0 {
			have.Put(id, want) // all is well with this one
			continue
		}
		h := model.Host{Roles: want.Roles, Reached: one(r, true, true, true), Obstacle: one(r, "", "", "", "", "", "", "foreign"),
			Packages: one(r, model.Set[string]{}, model.Set[string]{}, model.SetOf("nginx")),
			System:   one(r, no, model.Installed{Digest: "x", Valid: true}, want.System.Or(no)), Binaries: one(r, "", want.Binaries.Or("")),
			Images: one(r, model.Set[string]{}, want.Images.Or(model.Set[string]{})),
			Keys:   one(r, model.NoKeys, model.PublicKeys, model.SharedKeys, model.SharedKeys, model.PartialKeys),
			Certs:  one(r, no, model.Installed{Digest: want.Certs.Or(no).Digest}, want.Certs.Or(no)), Ready: one(r, true, true, false),
			Clean: one(r, false), Departed: one(r, true, false),
			EtcdVia: one(r, model.Way{Kind: model.EachDirectly, Backends: some()}, model.Way{Kind: model.LocalBalancer},
				want.EtcdVia.Or(model.Way{})), Backends: one(r, some(), want.Backends.Or(model.HostSet{})),
			EtcdStale: r.IntN(6) == 0, EtcdBackends: one(r, some(), want.EtcdBackends.Or(model.HostSet{})),
			Via: one(r, want.Via.Or(model.Way{}), want.Via.Or(model.Way{}), model.Way{}, model.Way{Kind: model.LocalBalancer},
				model.Way{Kind: model.FixedServer, Backends: model.SetOf[model.HostID]("a")},
				model.Way{Kind: model.SharedBalancer, Backends: some(), Carriers: some()}),
			Node: model.NodeState{Registered: one(r, true, false), Ready: one(r, true, false), Configured: one(r, true, false),
				Drained: one(r, true, false)}}
		h.Etcd = model.EtcdState{Data: one(r, true, false), Bootstrapped: one(r, true, false), Healthy: one(r, true, true, false),
			Member: one(r, model.NoMember, model.Unstarted, model.Learner, model.Voter, model.Voter, model.Voter)}
		if r.IntN(5) == 0 {
			h.Etcd.Fenced = some()
		}
		for v := range h.Components {
			d := want.Components[v].Disk.Or("")
			h.Components[v] = model.ComponentState{Disk: one(r, "", "older", d, d), Running: one(r, "", "older", d, d)}
		}
		if !h.Etcd.Data.Is(true) || !h.Runs(model.Etcd) {
			h.Etcd.Healthy = model.Is(false) // nothing serves without data, or without running
		}
		if !h.Reached.Known() {
			h = model.Host{Roles: h.Roles, Reached: h.Reached, Etcd: model.EtcdState{Member: h.Etcd.Member, Healthy: model.Is(false)},
				Node: h.Node, Departed: h.Departed, Ready: model.Is(false)}
		}
		have.Put(id, h)
	}
	have.CAsCreated = one(r, true, true, false)
	for _, name := range slices.Sorted(maps.Keys(w.Addons)) {
		d := w.Addons[name]
		have.Addons[name] = one(r, no, d.Or(no), model.Installed{Digest: "older", Valid: true})
	}
	return have, w
}

// anyState checks what holds for the plan from any state.
func anyState(r *rand.Rand, have, w model.Cluster) error {
	was := have.Clone()
	p := plan.Make(have, w, step.Rules())
	if !have.Equal(was) {
		return fmt.Errorf("planning has changed what it was given")
	}
	before := have
	for i, st := range p.Stages {
		for n, s := range st.Steps {
			if (n+i)%4 > 0 {
				continue // one in four of so many plans is many
			}
			if err := honest(s, before); err != nil {
				return fmt.Errorf("stage %d: %s: %w", i+1, s.About().Key(), err)
			}
		}
		if err := mixed(r, 2, before, st); err != nil {
			return fmt.Errorf("stage %d: %w", i+1, err)
		}
		before = st.After
	}
	if err := sane(p, have); err != nil {
		return err
	}
	if r.IntN(4) > 0 {
		return nil
	}
	if again := plan.Make(p.Last(), w, step.Rules()); len(again.Stages) > 0 {
		return fmt.Errorf("at its end there is more to do:\n%s", again.Text())
	}
	return nil
}

// honest checks a step's paper half: it writes its own host and the facts of
// the cluster only, what it writes depends on nothing else, once is enough, and
// from its Interim it comes to the same.
func honest(s plan.Step, c model.Cluster) error {
	id := s.About().Host
	for name, change := range map[string]func(*model.Cluster){"Effect": s.Effect, "Interim": s.Interim} {
		all, only := c.Clone(), c.Only(id)
		change(&all)
		change(&only)
		if !all.Only(id).Equal(only) {
			return fmt.Errorf("%s reads other hosts", name)
		}
		all.Put(id, c.Hosts[id])
		all.CAsCreated, all.Conflict, all.Addons = c.CAsCreated, c.Conflict, c.Addons
		if !all.Equal(c) {
			return fmt.Errorf("%s writes other hosts", name)
		}
	}
	once, late := c.Clone(), c.Clone()
	s.Effect(&once)
	if plan.Done(s, c) || !plan.Done(s, once) {
		return fmt.Errorf("done is %t before and %t after", plan.Done(s, c), plan.Done(s, once))
	}
	s.Interim(&late)
	s.Effect(&late)
	if !late.Equal(once) {
		return fmt.Errorf("from its Interim it comes to something else: %s", model.Difference(late.Hosts[id], once.Hosts[id]))
	}
	return nil
}

// mixed checks that a stage which declares no outage makes none, however far
// each of its steps has come.
func mixed(r *rand.Rand, mixes int, before model.Cluster, st plan.Stage) error {
	if st.Risk == plan.Outage {
		if len(st.Reasons) == 0 || len(st.Steps) != 1 {
			return fmt.Errorf("an outage of %d steps, and it says %q", len(st.Steps), st.Reasons)
		}
		return nil
	}
	h := before.Health()
	mastersOnly := func(c model.Cluster) model.Cluster { return mastersOnly(c, before, h.Stranded) }
	masters := mastersOnly(before).Health()
	for range mixes {
		c := before.Clone()
		var how []string
		for _, s := range st.Steps {
			switch r.IntN(3) {
			case 0:
				s.Interim(&c)
				how = append(how, s.About().Key()+" half done")
			case 1:
				s.Effect(&c)
				how = append(how, s.About().Key()+" done")
			}
		}
		now := c.Health()
		if h.Etcd && !now.Etcd || h.API && !now.API {
			return fmt.Errorf("an outage that was not declared, with %s:\n%+v\n%+v", strings.Join(how, ", "), h, now)
		}
		for _, id := range mastersOnly(c).Health().Fatal {
			if st.Risk == plan.Safe && h.Etcd && h.API && !slices.Contains(masters.Fatal, id) && !slices.Contains(h.Fatal, id) {
				return fmt.Errorf("an exposure to the loss of %s that was not declared, with %s:\n%+v\n%+v", id, strings.Join(how, ", "), h, now)
			}
		}
	}
	return nil
}

// mastersOnly leaves the workers out, and the kubelets of masters that were
// stopped or stranded before: one that begins to run, or to be served, brings
// its own dependence with it.
func mastersOnly(c, before model.Cluster, stranded []model.HostID) model.Cluster {
	out := model.New(c.Name)
	for id, h := range c.Hosts {
		if !c.IsCritical(id) {
			continue
		}
		if was := before.Hosts[id]; !was.Runs(model.Kubelet) || slices.Contains(stranded, id) {
			h.Components[model.Kubelet].Running = model.Is("")
		}
		out.Put(id, h)
	}
	return out
}

func TestRandomStarts(t *testing.T) {
	const lots, each = 8, 1500 / parts // more of them: -tags long, or go test -fuzz FuzzPlan
	for lot := range lots {
		t.Run(fmt.Sprint(lot), func(t *testing.T) {
			t.Parallel()
			for seed := range each {
				seed := uint64(lot*each + seed)
				r := rand.New(rand.NewPCG(seed, 0))
				have, w := chaos(r)
				if err := anyState(r, have, w); err != nil {
					t.Fatalf("seed %d: %v\n%s", seed, err, plan.Make(have, w, step.Rules()).Text())
				}
			}
		})
	}
}

func FuzzPlan(f *testing.F) {
	f.Add(uint64(1), uint64(1))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		have, w := chaos(r)
		if err := anyState(r, have, w); err != nil {
			t.Fatalf("%v\n%s", err, plan.Make(have, w, step.Rules()).Text())
		}
	})
}
