package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// change is a step made of functions.
type change struct {
	kind   string
	host   model.HostID
	alone  string
	need   func(model.Cluster) error
	effect func(*model.Host)
	half   func(*model.Host)
}

func (s change) About() plan.About {
	return plan.About{Kind: s.kind, Host: s.host, Title: s.kind, Exclusive: s.alone}
}

func (s change) Need(c model.Cluster) error {
	if s.need == nil {
		return nil
	}
	return s.need(c)
}
func (s change) Effect(c *model.Cluster) { c.Edit(s.host, s.effect) }
func (s change) Interim(c *model.Cluster) {
	if s.half != nil {
		c.Edit(s.host, s.half)
	}
}

func rule(steps ...plan.Step) []plan.Rule {
	return []plan.Rule{func(model.Cluster, model.Cluster) []plan.Step { return steps }}
}

// three is a healthy cluster of a, b and c.
func three() model.Cluster {
	c := model.New("t")
	for _, id := range []model.HostID{"a", "b", "c"} {
		h := model.Host{Roles: model.ControlPlane | model.EtcdHost, Reached: model.Is(true), Ready: model.Is(true),
			EtcdVia: model.Is(model.Way{Kind: model.EachDirectly, Backends: model.SetOf[model.HostID]("a", "b", "c")})}
		h.Etcd = model.EtcdState{Data: model.Is(true), Bootstrapped: model.Is(true), Member: model.Is(model.Voter), Healthy: model.Is(true)}
		h.Components[model.Etcd].Running, h.Components[model.APIServer].Running = model.Is("e"), model.Is("a")
		c.Put(id, h)
	}
	return c
}

func system(s string) func(*model.Host) { return func(h *model.Host) { h.System = model.Valid(s) } }
func etcdStops(h *model.Host)           { h.Etcd.Healthy = model.Is(false) }
func apiStops(h *model.Host)            { h.Ready = model.Is(false) }

func stages(p plan.Plan) string {
	var out []string
	for _, st := range p.Stages {
		var s []string
		for _, step := range st.Steps {
			s = append(s, step.About().Key())
		}
		out = append(out, st.Risk.String()+" "+strings.Join(s, " "))
	}
	return strings.Join(out, "; ")
}

func on(hosts string, s change) (out []plan.Step) {
	for _, id := range strings.Fields(hosts) {
		s.host = model.HostID(id)
		out = append(out, s)
	}
	return out
}

func TestStages(t *testing.T) {
	binaries := func(h *model.Host) { h.Binaries = model.Is("new") }
	after := func(c model.Cluster) error {
		if !c.Hosts["a"].System.Is(model.Installed{Digest: "x", Valid: true}) {
			return errors.New("not yet")
		}
		return nil
	}
	for name, at := range map[string]struct {
		steps []plan.Step
		want  string
	}{
		"nothing":                        {nil, ""},
		"what is done is not done again": {on("a", change{kind: "s", effect: func(*model.Host) {}}), ""},
		"side by side":                   {on("a b c", change{kind: "s", effect: system("x")}), "safe s@a s@b s@c"},
		"one at a time":                  {on("a b", change{kind: "s", effect: system("x"), alone: "x"}), "safe s@a; safe s@b"},
		"two API servers at once expose": {on("a b", change{kind: "api", effect: system("x"), half: apiStops}), "safe api@a; safe api@b"},
		"an etcd restart exposes": {on("a b", change{kind: "etcd", effect: system("x"), half: etcdStops}),
			"exposed etcd@a; exposed etcd@b"},
		"safe steps first": {append(on("a", change{kind: "etcd", effect: system("x"), half: etcdStops}),
			on("b", change{kind: "s", effect: system("x")})...), "safe s@b; exposed etcd@a"},
		"needs order, rules do not": {append(on("b", change{kind: "second", effect: binaries, need: after}),
			on("a", change{kind: "first", effect: system("x")})...), "safe first@a; safe second@b"},
		"not beside what it needs, broken": {append(on("a", change{kind: "first", effect: binaries, half: system("half")}),
			on("a", change{kind: "second", effect: func(h *model.Host) { h.Images = model.Is(model.SetOf("i")) }, need: half})...),
			"safe first@a; safe second@a"},
	} {
		t.Run(name, func(t *testing.T) {
			have := three()
			p := plan.Make(have, have, rule(at.steps...))
			if got := stages(p); got != at.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func half(c model.Cluster) error {
	if c.Hosts["a"].System.Is(model.Installed{Digest: "half", Valid: true}) {
		return errors.New("half done")
	}
	return nil
}

func TestOutageIsTheLastResort(t *testing.T) {
	have := three()
	have.Edit("c", etcdStops)
	steps := append(on("a", change{kind: "etcd", effect: system("x"), half: etcdStops}),
		on("c", change{kind: "heal", effect: func(h *model.Host) { h.Etcd.Healthy = model.Is(true) }})...)
	if got := stages(plan.Make(have, have, rule(steps...))); got != "safe heal@c; exposed etcd@a" {
		t.Errorf("got %q", got)
	}
	p := plan.Make(have, have, rule(steps[0]))
	if got := stages(p); got != "outage etcd@a" {
		t.Errorf("got %q", got)
	}
	if says := strings.Join(p.Stages[0].Reasons, "\n"); !strings.Contains(says, "OUTAGE: while this runs, etcd has no quorum") {
		t.Errorf("it says %q", says)
	}
}

func TestCircle(t *testing.T) {
	flip := func(h *model.Host) {
		if h.System.Is(model.Installed{Digest: "x", Valid: true}) {
			h.System = model.Valid("y")
		} else {
			h.System = model.Valid("x")
		}
	}
	p := plan.Make(three(), three(), rule(change{kind: "flip", host: "a", effect: flip}))
	if len(p.Blocked) != 1 || !strings.Contains(p.Blocked[0].Error(), "does not converge") {
		t.Errorf("got %.200s", p.Text())
	}
}

func TestBlockedAndDeferred(t *testing.T) {
	refuse := func(err error) func(model.Cluster) error { return func(model.Cluster) error { return err } }
	away := fmt.Errorf("its member is silent: %w", plan.UnreachedError{Host: "c"})
	unreached := change{kind: "unreached", host: "a", effect: system("x"), need: refuse(away)}
	waiting := change{kind: "waiting", host: "a", effect: system("x"), need: refuse(errors.New("not yet"))}
	firm := change{kind: "firm", host: "a", effect: system("x"),
		need: refuse(fmt.Errorf("no: %w", plan.OperatorError{Err: errors.New("foreign")}))}
	down := three()
	down.Edit("b", etcdStops)
	down.Edit("c", etcdStops)
	kinds := func(refused []plan.Refused) (s string) {
		for _, r := range refused {
			s += r.Step.Kind + " "
		}
		return strings.TrimSpace(s)
	}
	for name, at := range map[string]struct {
		have              model.Cluster
		steps             []plan.Step
		blocked, deferred string
	}{
		"waits for a host":        {three(), []plan.Step{waiting, unreached}, "", "unreached waiting"},
		"waits for nothing":       {three(), []plan.Step{waiting}, "waiting", ""},
		"a person must act":       {three(), []plan.Step{waiting, unreached, firm}, "firm", "unreached waiting"},
		"nothing is served":       {down, []plan.Step{waiting, unreached}, "unreached waiting", ""},
		"causes stand at the top": {down, []plan.Step{waiting, unreached, firm}, "firm unreached waiting", ""},
	} {
		p := plan.Make(at.have, at.have, rule(at.steps...))
		if kinds(p.Blocked) != at.blocked || kinds(p.Deferred) != at.deferred {
			t.Errorf("%s: blocked %q, deferred %q", name, kinds(p.Blocked), kinds(p.Deferred))
		}
	}
}

// Hosts that disagree about which cluster this is stop everything, also when
// there is nothing to do.
func TestConflictStopsEverything(t *testing.T) {
	c := model.New("t")
	c.Conflict = "cp1 (a) and cp2 (b)"
	p := plan.Make(c, c, nil)
	if p.Empty() || len(p.Blocked) != 1 || !strings.Contains(p.Text(), "cp1 (a) and cp2 (b)") {
		t.Errorf("%s", p.Text())
	}
	if st, refused := plan.Next(c, c, nil, nil); len(st.Steps) > 0 || len(refused) != 1 {
		t.Errorf("%v, %v", st.Steps, refused)
	}
}
