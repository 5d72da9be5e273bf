package balancer

import (
	"log/slog"
	"testing"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/health"
)

func TestPick(t *testing.T) {
	never := func() float64 { return 0.99 } // a backend that starts slowly is passed over
	always := func() float64 { return 0 }
	c := func(tier int, sessions int64, share float64) candidate { return candidate{tier, sessions, share} }
	for _, x := range []struct {
		name string
		in   []candidate
		draw func() float64
		want int
	}{
		{"none", nil, never, -1},
		{"never", []candidate{c(tierNever, 0, 1)}, never, -1},
		{"fewest sessions", []candidate{c(tierReady, 5, 1), c(tierReady, 3, 1), c(tierReady, 4, 1)}, never, 1},
		{"better tier with more sessions", []candidate{c(tierReady, 0, 1), c(tierPreferred, 9, 1)}, never, 1},
		{"slow start passed over", []candidate{c(tierReady, 0, 0.5), c(tierReady, 9, 1)}, never, 1},
		{"slow start in its share", []candidate{c(tierReady, 0, 0.5), c(tierReady, 9, 1)}, always, 0},
		{"slow start alone", []candidate{c(tierReady, 0, 0.1)}, never, 0},
		{"slow start before one that is gone", []candidate{c(tierReady, 0, 0.1), c(tierGone, 0, 1)}, never, 0},
		{"the last resort", []candidate{c(tierGone, 0, 1), c(tierNever, 0, 1)}, never, 0},
	} {
		if got := pick(x.in, x.draw); got != x.want {
			t.Errorf("%s: %d, want %d", x.name, got, x.want)
		}
	}
}

func TestRampUp(t *testing.T) {
	for since, want := range map[time.Duration]float64{0: 0.1, 5 * time.Second: 0.55, 10 * time.Second: 1, time.Hour: 1} {
		if got := rampUp(since, 10*time.Second); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("after %v: %v, want %v", since, got, want)
		}
	}
}

// TestStrictTiers: on the way to etcd only who has said what it is may be used.
func TestStrictTiers(t *testing.T) {
	for _, x := range []struct {
		v      health.View
		strict bool
		want   int32
	}{
		{health.View{State: health.Unknown}, true, tierNever},
		{health.View{State: health.Unknown}, false, tierUnknown},
		{health.View{State: health.Gone}, true, tierNever},
		{health.View{State: health.NotReady}, true, tierNever},
		{health.View{State: health.NotReady, Known: true}, true, tierNotReady},
		{health.View{State: health.Ready, Known: true}, true, tierReady},
		{health.View{State: health.Barred, Known: true}, false, tierNever},
		{health.View{State: health.Ready, Known: true, Mode: health.Left}, false, tierNever},
		{health.View{State: health.Ready, Known: true, Mode: health.Leaving}, true, tierLeaving},
	} {
		if got := tierOf(x.v, false, x.strict); got != x.want {
			t.Errorf("%+v, strict %v: %d, want %d", x.v, x.strict, got, x.want)
		}
	}
}

// A member that left the file is about to be removed: its sessions go at once.
// An API server that left may finish what it has.
func TestModeOfABackendThatLeft(t *testing.T) {
	for kind, want := range map[string]health.Mode{config.KindReadyz: health.Left, config.KindEtcd: health.Leaving} {
		w := newWay(kind, slog.New(slog.DiscardHandler), func(Change) {})
		conf := config.Way{Name: kind, Check: config.Check{Kind: kind}, Backends: []config.Backend{
			{Name: "a", Address: "10.0.0.1:1"}, {Name: "b", Address: "10.0.0.2:1"}}}
		w.take(prepared{conf: conf}, 10, time.Hour)
		conf.Backends = conf.Backends[:1]
		plan := w.take(prepared{conf: conf}, 10, time.Hour)
		if len(plan.Backends) != 2 || plan.Backends[0].Mode != health.Used || plan.Backends[1].Mode != want {
			t.Errorf("%s: %+v", kind, plan.Backends)
		}
		if tier := w.all[1].tier.Load(); tier != tierNever {
			t.Errorf("%s: what left is of tier %d", kind, tier)
		}
	}
}
