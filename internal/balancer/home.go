package balancer

import "time"

const (
	// homeAfter is how long a preferred backend must have been ready before
	// sessions with others are moved to it.
	homeAfter = 10 * time.Second
	// homeShare: one over this share of the others' sessions is moved a second.
	homeShare = 10
)

// goHome closes sessions with other backends, a few at a time, once a preferred
// one has been ready for a while. An API server that stayed with another host's
// etcd would be hurt by a fault of that host. Only sessions over which nothing
// went since the last call, a second ago, are closed: as far as can be seen from
// outside they have no request in flight.
func (w *way) goHome(now time.Time) {
	w.homing.Lock()
	defer w.homing.Unlock()
	strangers := w.strangers(now)
	before := w.moved
	w.moved = map[*session]int64{}
	left := (len(strangers) + homeShare - 1) / homeShare
	for _, s := range strangers {
		n := s.Moved()
		if then, known := before[s]; known && then == n && left > 0 {
			s.backend.counts.Shed.Add(1)
			s.Close()
			left--
			continue
		}
		w.moved[s] = n
	}
}

// strangers are the sessions with backends that are not preferred, while one
// that is has been ready for homeAfter.
func (w *way) strangers(now time.Time) (out []*session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	home := false
	for _, b := range w.all {
		home = home || b.tier.Load() == tierPreferred && now.Sub(b.view.Load().Since) >= homeAfter
	}
	if !home {
		return nil
	}
	for _, b := range w.all {
		if !b.conf.Load().Preferred {
			out = append(out, b.sessions.oldest(1)...)
		}
	}
	return out
}
