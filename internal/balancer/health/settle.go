package health

import (
	"fmt"
	"time"
)

// flush asks what is due, judges what is overdue, lets verdicts take effect
// whose evidence is there, and returns what is to be done.
func (m *Machine) flush(now time.Time) Do {
	for _, b := range m.backends {
		m.overdue(b, now)
	}
	if m.askAll {
		m.askAll = false
		for _, b := range m.backends {
			if b.state == Ready && b.down == nil && len(b.open) == 0 {
				m.ask(b, Question{}, now)
			}
		}
	}
	for _, b := range m.backends {
		if now.Before(b.next) {
			continue
		}
		b.next = now.Add(m.pace(b))
		_, n := b.hangingSince()
		b.count++
		if (n < hanging || b.state != Ready) && len(b.open) < mostOpen {
			m.ask(b, Question{Fresh: b.stuck() || b.count%fresh == 0}, now)
		}
	}
	for _, b := range m.backends {
		m.settle(b, now)
		m.shed(b, now)
	}
	do := m.do
	m.do = Do{}
	m.due = m.next(now)
	return do
}

func (m *Machine) overdue(b *backend, now time.Time) {
	since, n := b.unansweredSince()
	if !since.IsZero() {
		if !now.Before(m.confirmAt(b, since)) && b.state != Gone && len(b.open) < mostOpen {
			b.confirmed = [2]time.Time{b.confirmed[1], now}
			m.ask(b, Question{Alive: true, Fresh: true}, now)
			m.askAll = m.askAll || b.state == Ready
		}
		server, host := b.silentFor(since, now)
		switch {
		case n < 2:
		case host >= m.settings.Timeout:
			m.bad(b, &down{to: Gone, since: since, settle: true,
				reason: fmt.Sprintf("its host has not answered for %v", m.settings.Timeout)})
			return
		case server >= m.patience(b):
			m.bad(b, &down{to: Gone, since: since, settle: true,
				reason: fmt.Sprintf("its host takes connections, but nothing has come for %v", m.patience(b).Round(time.Millisecond))})
			return
		}
	}
	if since, _ := b.hangingSince(); !since.IsZero() && now.Sub(since) >= m.settings.Timeout && !b.alive.Before(since) {
		m.bad(b, &down{to: NotReady, since: since,
			reason: fmt.Sprintf("it lives, but has not said for %v whether it is ready", m.settings.Timeout)})
	}
}

// confirmAt is when a backend that owes an answer since then is asked for a sign
// of life: soon, twice, and then as rarely as it is asked anyway, since each is a
// TLS handshake for a server that may be starved.
func (m *Machine) confirmAt(b *backend, since time.Time) time.Time {
	at := since.Add(min(max(confirm, b.slowest*3/2), slowPace))
	return later(at, later(b.confirmed[1].Add(confirm), b.confirmed[0].Add(confirm+m.pace(b))))
}

// pace is the time between two questions to a backend.
func (m *Machine) pace(b *backend) time.Duration {
	return max(m.settings.Interval, min(b.slowest, slowPace))
}

// patience is how long a server may be silent whose host takes connections.
func (m *Machine) patience(b *backend) time.Duration {
	return m.settings.Timeout + hungAfter + min(slowFactor*b.slowest, slowMost)
}

// settle lets a verdict take effect when another backend vouches.
func (m *Machine) settle(b *backend, now time.Time) {
	d := b.down
	if d == nil {
		return
	}
	falls := b.stands && d.to == Gone && !d.stands // it refused, and now it is silent
	if b.state == d.to && !falls || b.state == Gone && d.to == NotReady || b.state == Barred {
		// It cannot get new connections as it is: no evidence is needed.
		m.change(b, d.to, d.reason, now)
		return
	}
	for _, other := range m.backends {
		if other != b && other.mode == Used && other.vouches(d, b, now) {
			m.change(b, d.to, d.reason, now)
			return
		}
	}
	if b.state == Unknown {
		m.change(b, d.to, d.reason, now)
	}
}

// shed closes the sessions of a backend that is not ready, refuses new ones or
// leaves, a few at a time, while another one is ready.
func (m *Machine) shed(b *backend, now time.Time) {
	from := b.since.Add(m.grace(b))
	if b.mode == Leaving && b.state == Ready {
		from = b.changed
	} else if b.state != NotReady && !b.stands {
		return
	}
	if now.Before(from) || now.Before(b.changed.Add(shedEvery)) || !m.othersReady(b) {
		return
	}
	if m.do.Shed == nil {
		m.do.Shed = map[string]int{}
	}
	m.do.Shed[b.name] = max(1, int(from.Add(m.settings.ShedOver).Sub(now)/shedEvery))
	b.changed = now
}

// grace is how long sessions stay. An election, too, takes an API server's
// storage away, but everybody's: their own checks of it are up to one and a half
// time-outs old (k8s.io/apiserver caches them), so CutOff is such a time-out, and
// all others must have said that they are ready to a question of its second half.
func (m *Machine) grace(b *backend) time.Duration {
	if b.state != NotReady || !b.cutOff || m.settings.CutOff >= m.settings.Grace {
		return m.settings.Grace
	}
	well := 0
	for _, other := range m.backends {
		if other == b || other.mode != Used || other.state == Gone || other.state == Barred {
			continue
		}
		if n := len(other.goods); other.state != Ready || other.down != nil || n == 0 ||
			other.goods[n-1].asked.Before(b.since.Add(m.settings.CutOff/2)) {
			return m.settings.Grace
		}
		well++
	}
	if well == 0 {
		return m.settings.Grace
	}
	return m.settings.CutOff
}

func (m *Machine) othersReady(b *backend) bool {
	for _, other := range m.backends {
		if other != b && other.state == Ready && other.down == nil && other.mode == Used {
			return true
		}
	}
	return false
}

// next is when something will be due.
func (m *Machine) next(now time.Time) time.Time {
	next := now.Add(m.settings.Interval)
	sooner := func(t time.Time) {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	for _, b := range m.backends {
		sooner(b.next)
		for _, a := range b.open {
			sooner(a.at.Add(confirm))
			sooner(a.at.Add(m.settings.Timeout))
		}
		if since, _ := b.unansweredSince(); !since.IsZero() && b.state != Gone {
			sooner(m.confirmAt(b, since))
			heard := later(since, b.heard)
			sooner(heard.Add(m.patience(b)))
			sooner(later(heard, b.reached).Add(m.settings.Timeout))
			sooner(b.triedSince().Add(m.settings.Timeout - 2*confirm))
			for _, a := range b.open {
				sooner(a.at.Add(settling))
			}
		}
		if b.state == NotReady || b.stands || b.mode == Leaving {
			sooner(b.changed.Add(shedEvery))
			sooner(b.since.Add(m.settings.Grace))
			sooner(b.since.Add(m.settings.CutOff))
		}
	}
	return next
}

// Views returns all backends in their order.
func (m *Machine) Views() []View {
	views := make([]View, len(m.backends))
	for i, b := range m.backends {
		views[i] = View{Name: b.name, State: b.state, Since: b.since, Reason: b.reason, Mode: b.mode, Known: b.known}
		if b.down != nil {
			views[i].Held = b.down.reason
		}
	}
	return views
}
