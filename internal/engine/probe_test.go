package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/prober"
	"quorate.dev/quorate/internal/step/steptest"
)

// seenOf is what an observation says of a cluster on paper.
func seenOf(c model.Cluster, cps ...model.HostID) *observe.Observation {
	g := &goal.Goal{Hosts: map[model.HostID]*goal.Host{}}
	for _, id := range cps {
		g.Hosts[id] = &goal.Host{}
	}
	return &observe.Observation{Have: c, Goal: g, Shared: &pki.Shared{}}
}

// At a create the probe begins with the first way in, once, and again when it
// could not begin.
func TestProbeBeginsWithTheFirstWayIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &Engine{}
		made := steptest.Made("cp1 cp2 cp3", "")
		starting := made.Clone() // all processes run, and nothing answers
		for _, id := range made.IDs() {
			starting.Edit(id, func(h *model.Host) { h.Ready = model.Is(false) })
		}
		ids := made.IDs()
		p, err := e.Probe(t.Context(), seenOf(starting, ids...))
		if err != nil || e.seen == nil {
			t.Fatalf("a create is refused: %v", err)
		}
		begun, fails := 0, 1
		p.start = func(_ context.Context, _ *observe.Observation, at model.HostID) (*prober.Prober, error) {
			if begun++; begun <= fails {
				return nil, errors.New("connection reset")
			}
			return &prober.Prober{}, nil
		}
		for i, at := range []struct {
			c    model.Cluster
			want int
		}{{starting, 0}, {made, 1}, {made, 2}, {made, 2}, {starting, 2}} {
			e.seen(seenOf(at.c, ids...))
			synctest.Wait()
			if begun != at.want {
				t.Errorf("look %d: it was begun %d times, want %d", i, begun, at.want)
			}
		}
		if p.asks == nil || p.err != nil {
			t.Errorf("it does not ask: %v", p.err)
		}
		never := &Probing{}
		if _, err := never.Stop(t.Context()); !errors.Is(err, ErrNeverAsked) {
			t.Errorf("a probe that never asked: %v", err)
		}
		if never.saw(t.Context(), seenOf(made, ids...)); never.busy {
			t.Error("it begins after its end")
		}
	})
}

// An apply shows the probe all that it sees.
func TestApplyShowsTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simulated(1, "", "cp1 cp2 cp3")
		e := &Engine{eyes: w, rules: w.rules()}
		first, last := -1, 0
		looks := 0
		e.seen = func(ob *observe.Observation) {
			if looks++; len(ob.Have.Serving()) > 0 && first < 0 {
				first = looks
			}
			last = looks
		}
		p, _, err := e.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Apply(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if first <= 1 || first >= last {
			t.Errorf("of %d looks the first with an API server was number %d", last, first)
		}
	})
}
