package balancer

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"quorate.dev/quorate/internal/balancer/check"
	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/health"
)

// backend is one server with its sessions. It lives as long as one of them
// does, also when it has left the configuration.
type backend struct {
	key  string
	at   netip.AddrPort
	left time.Time // when it left the configuration; guarded by way.mu

	conf  atomic.Pointer[config.Backend]
	tier  atomic.Int32
	back  atomic.Int64 // when it came back from a fault, Unix nanoseconds; 0 never
	view  atomic.Pointer[health.View]
	tries atomic.Int64 // attempts and sessions

	counts   Counts
	checks   checks
	sessions list
}

func newBackend(c config.Backend) *backend {
	b := &backend{key: key(c), at: netip.MustParseAddrPort(c.Address)}
	b.conf.Store(&c)
	b.view.Store(&health.View{Since: time.Now()})
	b.tier.Store(tierUnknown)
	return b
}

func key(c config.Backend) string { return c.Name + "@" + c.Address }

func (b *backend) watched(mode health.Mode) check.Watched {
	return check.Watched{Backend: *b.conf.Load(), Key: b.key, Mode: mode}
}

// tierOf is where a backend stands in the choice. Strict ways use nobody who
// has not said what it is.
func tierOf(v health.View, preferred, strict bool) int32 {
	switch {
	case v.State == health.Barred || v.Mode == health.Left || strict && !v.Known:
		return tierNever
	case v.State == health.Gone:
		return tierGone
	case v.State == health.NotReady:
		return tierNotReady
	case v.Mode == health.Leaving:
		return tierLeaving
	case v.State == health.Unknown:
		return tierUnknown
	case preferred:
		return tierPreferred
	}
	return tierReady
}

// list is the sessions of a backend, or those that wait for their ClientHello;
// oldest first. A session is in one list at a time.
type list struct {
	mu          sync.Mutex
	first, last *session
	n           int
}

// add returns the session that has to give way when there are more than most;
// 0 is no limit.
func (l *list) add(s *session, most int) (oldest *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.before, s.after = l.last, nil
	if l.last != nil {
		l.last.after = s
	} else {
		l.first = s
	}
	l.last = s
	l.n++
	if most > 0 && l.n > most {
		oldest = l.first
		l.unlink(oldest)
	}
	return oldest
}

// remove says whether s was still in the list.
func (l *list) remove(s *session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.before == nil && l.first != s {
		return false
	}
	l.unlink(s)
	return true
}

func (l *list) unlink(s *session) {
	if s.before != nil {
		s.before.after = s.after
	} else {
		l.first = s.after
	}
	if s.after != nil {
		s.after.before = s.before
	} else {
		l.last = s.before
	}
	s.before, s.after = nil, nil
	l.n--
}

func (l *list) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// oldest returns one over share of the sessions, rounded up.
func (l *list) oldest(share int) []*session {
	l.mu.Lock()
	defer l.mu.Unlock()
	some := make([]*session, 0, (l.n+share-1)/share)
	for s := l.first; s != nil && len(some) < cap(some); s = s.after {
		some = append(some, s)
	}
	return some
}
