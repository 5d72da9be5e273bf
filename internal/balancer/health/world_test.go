package health

import (
	"slices"
	"testing"
	"time"
)

// world answers a machine's questions in a time that passes only here.
type world struct {
	t       *testing.T
	m       *Machine
	now     time.Time
	servers map[string]*server
	mail    []letter
	changes []Change
	resets  map[string]time.Time // when sessions were last reset
	shed    map[string][]int
	asked   map[string]int
	renewed map[string]int // questions about readiness over a new connection
}

type server struct {
	silentFrom   time.Time // no answer to questions asked from then on
	hangs        bool      // /readyz hangs, all else is answered
	reachable    bool      // when silent: its host takes connections
	stalledUntil time.Time // no answer before that, but its host takes connections
	answer       Answer
	takes        time.Duration
}

func (s *server) ask(w *world, q Question) {
	silent := !s.silentFrom.IsZero() && !w.now.Before(s.silentFrom)
	if (!silent || s.reachable) && s.answer.Result < Refused {
		w.m.Heard(q.Backend, w.now, time.Time{})
	}
	a := s.answer
	switch {
	case silent, s.hangs && !q.Alive:
		w.post(2*time.Second, q, Answer{Result: Silence})
		return
	case q.Alive && a.Result == NotOK:
		a.Result = OK
	}
	w.post(max(s.takes, s.stalledUntil.Sub(w.now)), q, a)
}

type letter struct {
	at      time.Time
	backend string
	id      uint64
	a       Answer
}

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

var settings = Settings{Interval: 250 * time.Millisecond, Timeout: 500 * time.Millisecond, Grace: 3 * time.Second,
	CutOff:   time.Second,
	ShedOver: 5 * time.Second}

func newWorld(t *testing.T, names ...string) *world {
	w := &world{t: t, m: New(settings), now: begin, servers: map[string]*server{}, resets: map[string]time.Time{},
		shed: map[string][]int{}, asked: map[string]int{}, renewed: map[string]int{}}
	for _, n := range names {
		w.servers[n] = &server{takes: 2 * time.Millisecond}
	}
	w.follow(w.m.Set(settings, names, nil, w.now))
	return w
}

func (w *world) follow(do Do) {
	for _, q := range do.Ask {
		w.asked[q.Backend]++
		if q.Fresh && !q.Alive {
			w.renewed[q.Backend]++
		}
		w.servers[q.Backend].ask(w, q)
	}
	w.changes = append(w.changes, do.Changes...)
	for _, b := range do.Reset {
		w.resets[b] = w.now
	}
	for b, n := range do.Shed {
		w.shed[b] = append(w.shed[b], n)
	}
}

func (w *world) post(in time.Duration, q Question, a Answer) {
	w.mail = append(w.mail, letter{w.now.Add(in), q.Backend, q.ID, a})
	w.sort()
}

func (w *world) sort() {
	slices.SortStableFunc(w.mail, func(a, b letter) int { return a.at.Compare(b.at) })
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); ; {
		next := w.m.Due()
		if len(w.mail) > 0 && w.mail[0].at.Before(next) {
			next = w.mail[0].at
		}
		if next.After(end) {
			w.now = end
			return
		}
		if next.After(w.now) {
			w.now = next
		}
		if len(w.mail) > 0 && !w.mail[0].at.After(w.now) {
			l := w.mail[0]
			w.mail = w.mail[1:]
			w.follow(w.m.Answer(l.id, l.a, w.now))
			continue
		}
		w.follow(w.m.Tick(w.now))
	}
}

func (w *world) state(name string) View {
	for _, v := range w.m.Views() {
		if v.Name == name {
			return v
		}
	}
	w.t.Fatalf("no backend %s", name)
	return View{}
}

func (w *world) want(name string, s State) {
	w.t.Helper()
	if v := w.state(name); v.State != s {
		w.t.Errorf("%v: %s is %v (%s), want %v", w.now.Sub(begin), name, v.State, v.Reason, s)
	}
}

// silence cuts a server off at a moment within the check interval.
func (w *world) silence(names ...string) {
	for _, n := range names {
		w.servers[n].silentFrom = w.now
	}
}
