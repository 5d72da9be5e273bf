package balancer

import (
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/health"
)

// retier derives each backend's place in the choice. The caller holds w.mu.
func (w *way) retier() {
	strict := w.conf.Check.Kind == config.KindEtcd
	for _, b := range w.all {
		v := *b.view.Load()
		v.Mode = health.Used
		if !b.left.IsZero() {
			v.Mode = health.Left
		} else if b.conf.Load().Leaving {
			v.Mode = health.Leaving
		}
		b.tier.Store(tierOf(v, b.conf.Load().Preferred, strict))
	}
}

// Checked takes the checks' view into use.
func (w *way) Checked(views []health.View, do health.Do, lags int) {
	w.mu.Lock()
	asked := true
	for _, v := range views {
		if b := w.byKey(v.Name); b != nil {
			b.view.Store(&v)
			asked = asked && (v.State != health.Unknown || v.Held != "")
		}
	}
	for _, c := range do.Changes {
		if b := w.byKey(c.Backend); b != nil && c.To == health.Ready && c.From != health.Unknown {
			b.back.Store(c.At.UnixNano())
		}
	}
	w.retier()
	w.mu.Unlock()
	w.lags.Store(int64(lags))
	for _, k := range do.Reset {
		w.end(k, 1, true)
	}
	for k, share := range do.Shed {
		w.end(k, share, false)
	}
	for _, c := range do.Changes {
		w.changed(Change{Way: w.name, Change: c})
	}
	if asked && !w.looked {
		w.looked = true
		close(w.firstLook)
	}
}

// end closes one over share of a backend's sessions, or resets them.
func (w *way) end(k string, share int, reset bool) {
	w.mu.Lock()
	b := w.byKey(k)
	w.mu.Unlock()
	if b == nil {
		return
	}
	for _, s := range b.sessions.oldest(share) {
		if reset {
			b.counts.Reset.Add(1)
			s.Reset()
		} else {
			b.counts.Shed.Add(1)
			s.Close()
		}
	}
}

// Answered keeps how long the checks take.
func (w *way) Answered(k string, a health.Answer, took time.Duration) {
	w.mu.Lock()
	b := w.byKey(k)
	w.mu.Unlock()
	if b != nil {
		b.checks.add(took, a.Result == health.OK)
	}
}

func (w *way) view() WayView {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := WayView{
		Name: w.name, Listen: w.conf.Listen, Interval: w.conf.Interval(), Detect: w.conf.Detection(), Limit: w.limit.Load(),
		Sessions: w.live.Load(), Pending: int64(w.pending.len()), Lags: int(w.lags.Load()), Counts: &w.counts, Rates: w.rates.view(),
	}
	for _, b := range w.all {
		c := b.conf.Load()
		bv := BackendView{
			View: *b.view.Load(), Address: c.Address, Preferred: c.Preferred, Draining: !b.left.IsZero(),
			Sessions: b.tries.Load(), Checks: b.checks.view(), Counts: &b.counts,
		}
		bv.Name = c.Name
		v.Backends = append(v.Backends, bv)
	}
	return v
}
