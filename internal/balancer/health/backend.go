package health

import "time"

// asked is a question without an answer so far.
type asked struct {
	Question
	at time.Time
}

// good is one good answer: when it was asked for, and when it came.
type good struct{ asked, came time.Time }

// down is a verdict that waits for evidence that others are well.
type down struct {
	to     State
	reason string
	since  time.Time // another backend must have answered a question of then or later
	settle bool      // it may be our own network, see vouches
	stands bool      // its sessions may go on: it refuses or breaks new connections only
}

// backend is one server of the machine.
type backend struct {
	name string
	mode Mode

	state  State
	since  time.Time
	reason string
	down   *down

	open    []asked       // oldest first
	alive   time.Time     // when the newest answered question was asked
	heard   time.Time     // when the last sign of life of the server came
	reached time.Time     // the same for its host, which may take connections for a server that hangs
	slowest time.Duration // how long answers over kept connections take at most, decaying: a handshake takes longer
	ready   time.Time     // the same for questions about readiness
	goods   []good        // newest last; empty after a bad answer
	broken  int           // connections in a row that broke
	count   int           // questions asked
	next    time.Time     // when to ask again
	stands  bool          // Gone, but its sessions may go on
	cutOff  bool          // its newest answer was that it lacks its storage

	self, leader string    // what it last said of itself and of who leads
	known        bool      // it said what it is since it was last gone
	changed      time.Time // last state change or step of shedding
	silent       time.Time // a question of then got no answer, and was given up
	hung         time.Time // the same for readiness

	renewed   time.Time    // when readiness was last asked for over a new connection
	lost      time.Time    // what was asked before may have been lost on the way
	suspected time.Time    // when it was last asked on suspicion
	confirmed [2]time.Time // when it was last asked for a sign of life, newest last
}

const keptGoods = 8

func (b *backend) take(id uint64) (asked, bool) {
	for i, a := range b.open {
		if a.ID == id {
			b.open = append(b.open[:i:i], b.open[i+1:]...)
			return a, true
		}
	}
	return asked{}, false
}

// answered: b gave some answer to a. When nothing at all had come for a while,
// what was asked meanwhile may have been lost on the way: it does not count as
// hanging, and readiness is asked for anew.
func (b *backend) answered(a asked, now time.Time) {
	if since, _ := b.unansweredSince(); now.Sub(since) >= 2*confirm && !since.IsZero() && a.Alive {
		b.hung, b.lost, b.next = time.Time{}, now, now
	}
	b.alive, b.heard = later(b.alive, a.at), now
	if !a.Fresh {
		b.slowest = max(now.Sub(a.at), b.slowest*7/8)
	}
	if !b.silent.After(b.alive) {
		b.silent = time.Time{}
	}
	if a.Alive {
		return
	}
	b.ready = later(b.ready, a.at)
	if !b.hung.After(b.ready) {
		b.hung = time.Time{}
	}
}

// unansweredSince is when the oldest question was asked that no answer has
// followed; zero when there is none.
func (b *backend) unansweredSince() (since time.Time, n int) {
	since = b.silent
	if !since.IsZero() {
		n++
	}
	for _, a := range b.open {
		if a.at.After(b.alive) {
			n++
			since = earlier(since, a.at)
		}
	}
	return since, n
}

// silentFor is for how long nothing has come that answers what was asked at
// since or later: from the server, and from its host. The host counts as silent
// only while it owes something to a connection that was tried: a question over
// the kept one may wait for a handshake, and so ask the host for nothing.
func (b *backend) silentFor(since, now time.Time) (server, host time.Duration) {
	heard := later(since, b.heard)
	if tried := b.triedSince(); !tried.IsZero() {
		host = min(now.Sub(later(heard, b.reached)), now.Sub(tried)+2*confirm)
	}
	return now.Sub(heard), host
}

// triedSince is when the oldest new connection was tried since the host last
// gave a sign; zero when there is none.
func (b *backend) triedSince() (since time.Time) {
	for _, a := range b.open {
		if a.Alive && a.at.After(b.reached) {
			since = earlier(since, a.at)
		}
	}
	return since
}

// stuck: it lives, but an older question has no answer. The connection that
// went over may be broken, if it is still the one that is used.
func (b *backend) stuck() bool {
	since, n := b.hangingSince()
	return n > 0 && b.alive.After(since) && !since.Before(b.renewed)
}

// hangingSince is unansweredSince for questions about readiness.
func (b *backend) hangingSince() (since time.Time, n int) {
	since = b.hung
	if !since.IsZero() {
		n++
	}
	for _, a := range b.open {
		if !a.Alive && a.at.After(b.ready) && !a.at.Before(b.lost) {
			n++
			since = earlier(since, a.at)
		}
	}
	return since, n
}

// vouches: b has answered well a question that was asked when other's trouble
// had begun. Where that could be our own network, other must since have left
// another question unanswered, so that it does not go while all come back.
func (b *backend) vouches(d *down, other *backend, now time.Time) bool {
	if b.state != Ready || b.down != nil {
		return false
	}
	for _, g := range b.goods {
		if !g.asked.Before(d.since) && (!d.settle || other.ignored(g.came, now)) {
			return true
		}
	}
	return false
}

// ignored: a question that was asked at since or later has no answer.
func (b *backend) ignored(since, now time.Time) bool {
	for _, a := range b.open {
		if a.at.After(b.alive) && !a.at.Before(since) && now.Sub(a.at) >= settling {
			return true
		}
	}
	return false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earlier ignores zero times.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
