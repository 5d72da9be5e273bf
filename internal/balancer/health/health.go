// Package health decides which backends of a way are in use. It is a state
// machine over values: questions go out, answers and the time come in, and what
// follows is returned. It does no I/O, starts no goroutine and reads no clock.
//
// What it promises:
//
//   - A backend whose host falls silent is Gone within Interval + Timeout. One
//     whose answers take longer than Interval is asked only as often as it answers.
//   - One whose host still takes connections may be starved of CPU: it gets
//     longer, by the more the slower it has answered of late. Anything that
//     comes from it in that time shows that it lives.
//   - A backend is taken out only while another one has been seen to answer
//     well since. So the last one stays, and a fault of our own network or a
//     stall of our own process takes out nobody.
//   - A server that refuses new connections may be finishing those that it has,
//     as an API server does when it stops: they are closed like those of one that
//     is not ready. If its process ended, they ended with it.
//   - Slow is not silent: a backend whose /readyz hangs but which answers
//     something else is NotReady, and keeps its sessions for the grace period.
//   - One that has lost its way to its storage, while every other backend in
//     use is well, keeps them for CutOff only: in an election all would have.
//   - What members sent to a leader that is gone has no answer for long. So when
//     another one leads, their sessions are reset (leader.go).
package health

import "time"

// State of a backend.
type State int

const (
	Unknown  State = iota // not answered yet
	Ready                 // takes connections
	NotReady              // answers, but asks for no new connections
	Gone                  // no TCP, TLS or HTTP answer in time, or it refuses connections
	Barred                // must never be used: a learner, or of another cluster
)

func (s State) String() string {
	return [...]string{"unknown", "ready", "not ready", "gone", "barred"}[s]
}

// Mode is what the configuration wants of a backend.
type Mode int

const (
	Used    Mode = iota
	Leaving      // no new connections; its sessions are closed a few at a time
	Left         // no new connections; its sessions stay as long as it lives
)

// Settings of one way.
type Settings struct {
	Interval time.Duration // between two questions to one backend
	Timeout  time.Duration // an answer later than this is none
	Grace    time.Duration // how long sessions stay on a backend that is NotReady
	CutOff   time.Duration // the same for one that is cut off from its storage while all others are not
	ShedOver time.Duration // in which time they are then closed
}

const (
	// confirm: a question that is unanswered for this long brings another one,
	// over a new connection, that any living server can answer.
	// One that has been slow has half as long again as it took, up to slowPace.
	confirm = 100 * time.Millisecond
	// settling: a question unanswered for this long is ignored, as long as others
	// answer theirs.
	settling = 300 * time.Millisecond
	// hungAfter: a server whose host takes connections has this much longer than
	// Timeout to give a sign of life, and slowFactor times the slowest of its
	// recent answers over kept connections, slowMost at most: a host that runs out of CPU answers later
	// and later.
	hungAfter  = 100 * time.Millisecond
	slowFactor = 4
	slowMost   = 2 * time.Second
	// slowPace: who answers later than Interval is asked as often as it answers,
	// this often at least. Checks must not add to what makes it slow.
	slowPace = time.Second
	// lag: when we are later than this, what looks overdue may have been
	// answered, and the time is not counted.
	lag = 100 * time.Millisecond
	// rise: so many good answers bring a backend back.
	rise = 2
	// fresh: every so many questions one goes over a new connection.
	fresh = 20
	// hanging: so many unanswered questions are enough for one backend.
	hanging = 3
	// mostOpen bounds the unanswered questions of one backend.
	mostOpen = 24
	// suspectEvery bounds the questions that failed client dials bring.
	suspectEvery = 200 * time.Millisecond
	// shedEvery: sessions are closed in steps of this.
	shedEvery = 100 * time.Millisecond
)

// Question is one check to be made.
type Question struct {
	ID      uint64
	Backend string
	Alive   bool // anything that a living server can answer, whatever its state
	Fresh   bool // over a new connection
}

// Result of a check.
type Result int

const (
	OK          Result = iota
	NotOK              // an answer, but not ready
	Bar                // an answer that bars the backend
	Refused            // the host answers that nobody listens
	Broken             // the connection broke, or TLS failed
	Unreachable        // the network says that it does not get to the host
	Silence            // no answer in time
	OurFault           // the check could not be made; it says nothing
)

// Answer to a question.
type Answer struct {
	Result Result
	Reason string
	// CutOff, with NotOK: it serves, and lacks nothing but its storage.
	CutOff bool
	// Self and Leader, with OK: which member it is of a group with a leader, and
	// who leads. "" where there is no such thing.
	Self, Leader string
}

// Change of a backend's state, for logs and the statistics page.
type Change struct {
	Backend  string
	From, To State
	Reason   string
	At       time.Time
}

// Do is what the caller has to do next.
type Do struct {
	Ask     []Question
	Changes []Change
	Reset   []string       // backends whose sessions all end now
	Shed    map[string]int // backends and one over the share of sessions to close now
}

// View is a backend's state for the data plane and for people.
type View struct {
	Name   string
	State  State
	Since  time.Time
	Reason string
	Held   string // why it is kept in use although it does not answer well
	Mode   Mode
	Known  bool // it has said what it is since it was last gone
}
