package balancer

import "time"

const (
	// homeAfter is how long a preferred backend must have been ready before
	// sessions with others are moved to it.
	homeAfter = 10 * time.Second
	// quietTime: a session over which nothing went for so long has no request in
	// flight, as far as can be seen from outside.
	quietTime = 100 * time.Millisecond
	// homeShare: one over this share of the others' sessions is moved at a time.
	homeShare = 10
)

// goHome closes quiet sessions with other backends, a few at a time, once a
// preferred one has been ready for a while. An API server that stayed with
// another host's etcd would be hurt by a fault of that host.
func (w *way) goHome(now time.Time) {
	strangers := w.strangers(now)
	if len(strangers) == 0 {
		return
	}
	before := make([]int64, len(strangers))
	for i, s := range strangers {
		before[i] = s.Moved()
	}
	time.Sleep(quietTime)
	left := (len(strangers) + homeShare - 1) / homeShare
	for i, s := range strangers {
		if left > 0 && s.Moved() == before[i] {
			s.backend.counts.Shed.Add(1)
			s.Close()
			left--
		}
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
