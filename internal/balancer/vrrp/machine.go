package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// State of a router. The RFC calls Active what was called Master before.
type State uint8

const (
	Initialize State = iota // does not take part
	Backup
	Active // holds the addresses
)

func (s State) String() string { return [...]string{"off", "backup", "active"}[s] }

// Config is one virtual router on this host.
type Config struct {
	VRID      uint8
	Priority  uint8 // 16 to 254; 255: the owner
	Preempt   bool  // take over from a router of lower priority that works
	Interval  time.Duration
	Local     netip.Addr // the address that adverts come from; of two equals the higher one stays active
	Addresses []netip.Addr
}

// lowest: up to this priority a router has no way to a server behind it. Whoever
// has one takes over from it, also when it does not preempt.
const lowest = 15

// MinPriority is the least that a configuration may say, so that an unfit router
// always comes after a fit one.
const MinPriority = lowest + 1

// Unfit is the priority of a router that has no way to a server behind it. The
// order among them stays.
func Unfit(priority uint8) uint8 { return max(1, min(lowest, priority/16)) }

// Do is what the caller has to do next, in this order.
type Do struct {
	Release bool    // take the addresses off this host
	Send    []uint8 // adverts to send, by their priorities
	Take    bool    // put the addresses on this host, and announce them
	// Announce: the addresses are here, and somebody may have been told otherwise.
	Announce bool
	Change   *Change
}

// Change of the state, for logs and the statistics page.
type Change struct {
	From, To State
	Reason   string
	At       time.Time
}

// Machine is one router: section 6.4 of the RFC, and what this balancer adds to
// it: a router that is not fit, since it has no way to a server, gives up and
// comes after all others. Nothing waits in it: call Tick at Deadline. A copy of
// it is another machine in the same state.
type Machine struct {
	conf     Config
	state    State
	fit      bool
	since    time.Time
	reason   string
	deadline time.Time     // the RFC's Adver_Timer or Active_Down_Timer
	theirs   time.Duration // Active_Adver_Interval
	active   netip.Addr    // who sent the last advert that counted
	heard    time.Time
}

// New returns a router that is off.
func New(c Config, now time.Time) Machine {
	return Machine{conf: c, theirs: c.Interval, since: now, reason: "not started"}
}

// State, since when and why.
func (m *Machine) State() (State, time.Time, string) { return m.state, m.since, m.reason }

// Deadline is when Tick must be called; zero: not at all.
func (m *Machine) Deadline() time.Time { return m.deadline }

// Peer is who was active when it was last heard, and when that was.
func (m *Machine) Peer() (netip.Addr, time.Time) { return m.active, m.heard }

// Priority is what adverts say now.
func (m *Machine) Priority() uint8 {
	if m.fit {
		return m.conf.Priority
	}
	return Unfit(m.conf.Priority)
}

// Skew is how much longer this router waits than one of priority 256 would.
func (m *Machine) Skew() time.Duration {
	return time.Duration(256-int(m.Priority())) * m.theirs / 256
}

// DownInterval is after which silence this router takes over.
func (m *Machine) DownInterval() time.Duration { return 3*m.theirs + m.Skew() }

// Start begins to take part.
func (m *Machine) Start(now time.Time, fit bool) Do {
	if m.state != Initialize {
		return Do{}
	}
	m.fit = fit
	if fit && m.conf.Priority == Owner {
		return m.takeOver(now, "owner of the address")
	}
	return m.backUp(now, "started")
}

// Inherit goes on from a process that is replaced and holds the addresses.
func (m *Machine) Inherit(now time.Time, fit bool) Do {
	m.fit = fit
	return m.takeOver(now, "went on from the process before")
}

// Stop gives up in order.
func (m *Machine) Stop(now time.Time, why string) (do Do) {
	if m.state == Active {
		do.Release, do.Send = true, []uint8{0}
	}
	do.Change = m.become(Initialize, now, why)
	m.deadline = time.Time{}
	return do
}

// Lost says that the addresses may be gone from this host, or that it was away
// for so long that others have taken over: it goes back to waiting.
func (m *Machine) Lost(now time.Time, why string) Do {
	if m.state != Active {
		return Do{}
	}
	do := m.backUp(now, why)
	do.Release = true
	return do
}

// Tick is called at Deadline, or later.
func (m *Machine) Tick(now time.Time) Do {
	if m.deadline.IsZero() || now.Before(m.deadline) {
		return Do{}
	}
	if m.state == Active {
		m.deadline = m.deadline.Add(m.conf.Interval)
		if !m.deadline.After(now) {
			m.deadline = now.Add(m.conf.Interval)
		}
		return Do{Send: []uint8{m.Priority()}}
	}
	why := "no other router"
	if m.active.IsValid() {
		why = fmt.Sprintf("%s was last heard %d ms ago", m.active, now.Sub(m.heard).Milliseconds())
	}
	return m.takeOver(now, why)
}

// Hold puts a takeover off, since the address is in use on the network by who
// sends no adverts.
func (m *Machine) Hold(now time.Time, why string) Do {
	if m.state != Backup {
		return Do{}
	}
	m.reason, m.deadline = why, now.Add(max(time.Second, m.DownInterval()))
	return Do{}
}

// Postpone puts the judgement on the active router's silence off.
func (m *Machine) Postpone(to time.Time) {
	if m.state == Backup {
		m.deadline = to
	}
}

// Heard is an advert of another router of the same VRID.
func (m *Machine) Heard(now time.Time, a Advert, from netip.Addr) Do {
	switch m.state {
	case Backup:
		return m.heardAsBackup(now, a, from)
	case Active:
		return m.heardAsActive(now, a, from)
	}
	return Do{}
}

func (m *Machine) heardAsBackup(now time.Time, a Advert, from netip.Addr) Do {
	own := m.Priority()
	if a.Priority == 0 {
		m.active, m.heard = from, now
		m.deadline = now.Add(m.Skew())
		return Do{}
	}
	worse := a.Priority <= lowest && own > lowest // it has no way to a server, and this one has
	if a.Priority >= own || !m.conf.Preempt && !worse {
		m.active, m.heard, m.theirs = from, now, a.Interval
		m.deadline = now.Add(m.DownInterval())
	}
	return Do{}
}

func (m *Machine) heardAsActive(now time.Time, a Advert, from netip.Addr) Do {
	own := m.Priority()
	switch {
	case a.Priority > own || a.Priority == own && m.conf.Local.Less(from):
		why := fmt.Sprintf("%s has priority %d", from, a.Priority)
		m.theirs = a.Interval
		do := m.backUp(now, why)
		do.Release = true
		m.active, m.heard = from, now
		return do
	case a.Priority == 0:
		m.deadline = now.Add(m.conf.Interval)
		return Do{Send: []uint8{own}}
	}
	// The other one believes itself active: it must learn of this one at once,
	// and so must those who heard its announcement.
	m.deadline = now.Add(m.conf.Interval)
	return Do{Send: []uint8{own}, Announce: true}
}

// Fit says whether this host has a way to a server. An active router that has
// none gives up: whoever has one takes over, and if nobody has, it comes back
// and stays, so that clients are refused and do not wait.
func (m *Machine) Fit(now time.Time, fit bool, why string) Do {
	if m.fit == fit {
		return Do{}
	}
	was := m.Priority()
	m.fit = fit
	if m.state != Active {
		return Do{}
	}
	if fit {
		m.deadline = now.Add(m.conf.Interval)
		return Do{Send: []uint8{m.Priority()}}
	}
	if was == m.Priority() {
		return Do{}
	}
	m.theirs = m.conf.Interval
	do := m.backUp(now, why)
	do.Release, do.Send = true, []uint8{0}
	return do
}

// Reconfigure takes another priority, interval or preemption into use.
func (m *Machine) Reconfigure(now time.Time, c Config) Do {
	m.conf = c
	switch m.state {
	case Active:
		m.deadline = now.Add(c.Interval)
		return Do{Send: []uint8{m.Priority()}}
	case Backup:
		if !m.active.IsValid() {
			m.theirs = c.Interval
		}
		m.deadline = now.Add(m.DownInterval())
	}
	return Do{}
}

func (m *Machine) takeOver(now time.Time, why string) Do {
	do := Do{Send: []uint8{m.Priority()}, Take: true, Change: m.become(Active, now, why)}
	m.theirs, m.deadline = m.conf.Interval, now.Add(m.conf.Interval)
	m.active, m.heard = netip.Addr{}, time.Time{}
	return do
}

func (m *Machine) backUp(now time.Time, why string) Do {
	change := m.become(Backup, now, why)
	m.active, m.heard = netip.Addr{}, time.Time{}
	m.deadline = now.Add(m.DownInterval())
	return Do{Change: change}
}

func (m *Machine) become(to State, now time.Time, why string) *Change {
	if to == m.state {
		return nil
	}
	c := &Change{From: m.state, To: to, Reason: why, At: now}
	m.state, m.since, m.reason = to, now, why
	return c
}
