package health

import (
	"slices"
	"time"
)

// Machine is the checks of one way. It is not safe for concurrent use.
type Machine struct {
	settings Settings
	backends []*backend
	lastID   uint64
	do       Do
	askAll   bool      // a backend looks bad: the others are asked at once
	due      time.Time // when we meant to look again
	lags     int
}

// New returns a machine without backends.
func New(s Settings) *Machine { return &Machine{settings: s} }

// Lags is how often our own delay was noticed.
func (m *Machine) Lags() int { return m.lags }

// Interval is the time between two questions to one backend.
func (m *Machine) Interval() time.Duration { return m.settings.Interval }

// Due is when Tick wants to be called.
func (m *Machine) Due() time.Time { return m.due }

// Set changes settings and backends. Backends that stay keep their state.
// modes names those that are not to be used like others.
func (m *Machine) Set(s Settings, names []string, modes map[string]Mode, now time.Time) Do {
	m.lag(now)
	m.settings = s
	old := m.backends
	m.backends = nil
	for _, name := range names {
		i := slices.IndexFunc(old, func(b *backend) bool { return b.name == name })
		b := &backend{name: name, since: now, next: now, reason: "not asked yet"}
		if i >= 0 {
			b = old[i]
			b.next = earlier(b.next, now.Add(s.Interval))
		}
		if b.mode != modes[name] {
			b.mode, b.changed = modes[name], now
		}
		m.backends = append(m.backends, b)
	}
	return m.flush(now)
}

// Tick looks at what is due now.
func (m *Machine) Tick(now time.Time) Do {
	m.lag(now)
	return m.flush(now)
}

// lag notices that we are late ourselves: stopped, starved of CPU, or the
// machine slept. Answers may be waiting for us, so the delay does not count
// against the backends.
func (m *Machine) lag(now time.Time) {
	late := now.Sub(m.due)
	if m.due.IsZero() || late <= lag {
		return
	}
	m.lags++
	for _, b := range m.backends {
		for i := range b.open {
			b.open[i].at = b.open[i].at.Add(late)
		}
		for _, t := range []*time.Time{&b.silent, &b.hung} {
			if !t.IsZero() {
				*t = t.Add(late)
			}
		}
	}
	m.due = now
}

// Suspect: somebody failed to reach the backend, or its standing connection
// broke. It is asked at once.
func (m *Machine) Suspect(name string, now time.Time) Do {
	m.lag(now)
	if b := m.find(name); b != nil && b.state == Ready && !now.Before(b.suspected.Add(suspectEvery)) {
		if since, _ := b.unansweredSince(); since.IsZero() {
			b.suspected = now
			m.ask(b, Question{Fresh: true}, now)
		}
	}
	return m.flush(now)
}

// Overdue says whether a backend owes an answer for so long that it matters when
// it last gave a sign of life.
func (m *Machine) Overdue(name string, now time.Time) bool {
	b := m.find(name)
	if b == nil {
		return false
	}
	since, _ := b.unansweredSince()
	return !since.IsZero() && now.Sub(since) >= confirm
}

// Heard takes when the last sign of life came from a backend's host (its kernel
// acknowledged something) and from the server (it sent bytes). Zero times are
// none. What follows from it, the next call returns.
func (m *Machine) Heard(name string, host, server time.Time) {
	b := m.find(name)
	if b == nil || !host.After(b.reached) && !server.After(b.heard) {
		return
	}
	b.reached, b.heard = later(b.reached, host), later(b.heard, server)
	if b.down != nil && b.down.settle {
		b.down = nil // judged anew
	}
}

// Answer takes what came of a question.
func (m *Machine) Answer(id uint64, a Answer, now time.Time) Do {
	m.lag(now)
	for _, b := range m.backends {
		if q, is := b.take(id); is {
			m.answer(b, q, a, now)
			break
		}
	}
	return m.flush(now)
}

func (m *Machine) answer(b *backend, q asked, a Answer, now time.Time) {
	switch a.Result {
	case OurFault:
		return
	case Silence:
		if q.at.After(b.alive) {
			b.silent = earlier(b.silent, q.at)
		}
		if !q.Alive && q.at.After(b.ready) && !q.at.Before(b.lost) {
			b.hung = earlier(b.hung, q.at)
		}
		return
	case Refused, Broken, Unreachable:
		m.broken(b, q, a, now)
		return
	}
	overtaken := q.at.Before(b.ready)
	b.answered(q, now)
	b.broken = 0
	switch {
	case q.Alive:
		if b.down != nil && b.down.to == Gone {
			b.down = nil
		}
	case overtaken:
	case a.Result == OK:
		b.known, b.cutOff = true, false
		m.led(b, a)
		m.good(b, q, a, now)
	case a.Result == Bar:
		b.goods, b.down, b.known = nil, nil, false
		m.change(b, Barred, a.Reason, now)
	default:
		b.known, b.cutOff = true, a.CutOff
		m.bad(b, &down{to: NotReady, reason: a.Reason, since: q.at})
	}
}

func (m *Machine) good(b *backend, q asked, a Answer, now time.Time) {
	b.down = nil
	b.goods = append(b.goods, good{q.at, now})
	b.goods = b.goods[max(0, len(b.goods)-keptGoods):]
	if b.state == Ready {
		return
	}
	if b.state == Unknown || len(b.goods) >= rise || !m.anyReady() {
		m.change(b, Ready, a.Reason, now)
		return
	}
	b.next = earlier(b.next, now.Add(m.settings.Interval))
}

// broken: the first broken connection is asked about again at once, since a
// server may close one that was idle. A refusal needs no second look.
func (m *Machine) broken(b *backend, q asked, a Answer, now time.Time) {
	if q.at.Before(b.alive) {
		return // a newer question was answered since
	}
	b.broken++
	if a.Result != Refused && b.broken < 2 {
		m.ask(b, Question{Fresh: true}, now)
		return
	}
	d := &down{to: Gone, reason: a.Reason, since: q.at, stands: a.Result != Unreachable}
	if a.Result == Refused {
		// A refusal comes from the other host, so our network works: an answer
		// that another backend gave lately is evidence enough.
		d.since = q.at.Add(-m.settings.Interval - confirm)
	}
	m.bad(b, d)
}

// bad notes a verdict. It takes effect in settle.
func (m *Machine) bad(b *backend, d *down) {
	b.goods = nil
	if b.down == nil || b.down.to != d.to {
		b.down = d
		m.askAll = m.askAll || b.state == Ready || b.state == Unknown
	}
	b.down.reason, b.down.stands = d.reason, d.stands
}

func (m *Machine) anyReady() bool {
	return slices.ContainsFunc(m.backends, func(b *backend) bool { return b.state == Ready && b.down == nil })
}

func (m *Machine) find(name string) *backend {
	for _, b := range m.backends {
		if b.name == name {
			return b
		}
	}
	return nil
}

func (m *Machine) ask(b *backend, q Question, now time.Time) {
	m.lastID++
	q.ID, q.Backend = m.lastID, b.name
	if q.Fresh && !q.Alive {
		b.renewed = now
	}
	b.open = append(b.open, asked{q, now})
	m.do.Ask = append(m.do.Ask, q)
}

func (m *Machine) change(b *backend, to State, reason string, now time.Time) {
	stands := b.down != nil && b.down.stands
	b.down = nil
	if to == Barred && b.state != Barred || to == Gone && !stands && (b.state != Gone || b.stands) {
		m.do.Reset = append(m.do.Reset, b.name)
	}
	b.stands = to == Gone && stands && (b.state != Gone || b.stands)
	if b.state == to {
		b.reason = reason
		return
	}
	m.do.Changes = append(m.do.Changes, Change{b.name, b.state, to, reason, now})
	b.state, b.since, b.changed, b.reason = to, now, now, reason
	if to == Gone || to == Barred {
		b.known = false
	}
}
