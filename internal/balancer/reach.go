package balancer

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"time"

	"quorate.dev/quorate/internal/balancer/relay"
	"quorate.dev/quorate/internal/balancer/wire"
)

const (
	// hedgeDial and hedgeAnswer: a backend that has not taken a connection, or
	// not answered a ClientHello, for this long gets a rival.
	hedgeDial   = 150 * time.Millisecond
	hedgeAnswer = 300 * time.Millisecond
	// reachTimeout bounds all attempts together; lastTimeout does so when no
	// backend is known to be well.
	reachTimeout = 10 * time.Second
	lastTimeout  = time.Second
	// Rivals of slow backends cost from a budget, so that backends which are
	// all slow do not get twice the load: a tenth of the connections, and 100
	// at once.
	hedgeCost, hedgeGain, hedgeMost = 10, 1, 1000
)

var errEnded = errors.New("the server closed the connection without an answer")

// attempt is one try to reach a backend for a session.
type attempt struct {
	backend *backend
	sock    *relay.Sock
	text    []byte // what the server gets first; nil until the attempt may write
	rest    []byte // what of it is not written
	first   []byte // the server's first bytes, pooled
}

// goOn continues until the server has answered the ClientHello, or, for a
// start that cannot be repeated, has taken the connection. When the deadline
// of a stage is over it returns os.ErrDeadlineExceeded and may be called again.
func (a *attempt) goOn(s *session, st start, stage func(time.Duration) time.Time) error {
	if !st.replay {
		a.sock.SetDeadline(stage(hedgeDial))
		return a.sock.Connect(a.backend.at)
	}
	if a.text == nil {
		a.prepare(s, st)
	}
	if len(a.rest) > 0 {
		// Writing waits for the connection, and fails as it does.
		a.sock.SetDeadline(stage(hedgeDial))
		n, err := a.sock.Write(a.rest)
		a.rest = a.rest[n:]
		if err != nil {
			return err
		}
	}
	a.sock.SetDeadline(stage(hedgeAnswer))
	first, err := a.sock.ReadPooled()
	if err == nil && first == nil {
		err = errEnded
	}
	a.first = first
	return err
}

// prepare puts a PROXY header of its own before the start when that is wanted.
func (a *attempt) prepare(s *session, st start) {
	a.text = st.bytes
	if s.way.proxy.Load() {
		client, local := s.Client.Addresses()
		a.text = wire.ProxyHeader(make([]byte, 0, wire.MaxProxyHeader+len(st.bytes)), client, local)
		a.text = append(a.text, st.bytes...)
	}
	a.rest = a.text
}

func (a *attempt) drop() {
	a.sock.Reset()
	relay.Give(a.first)
	a.first = nil
	a.backend.tries.Add(-1)
}

// reach finds a server for a session. Nearly always the first one answers in
// time, and no goroutine or channel is needed.
func (w *way) reach(s *session, st start) *attempt {
	backends := *w.backends.Load()
	tried := make([]bool, len(backends))
	w.gain()
	for {
		a, down := w.attempt(s, backends, tried, tierNever)
		if a == nil {
			return nil
		}
		err := a.goOn(s, st, func(d time.Duration) time.Time { return time.Now().Add(d) })
		if errors.Is(err, os.ErrDeadlineExceeded) {
			w.watcher.Suspect(a.backend.key)
			a = w.race(s, st, a, backends, tried, down)
			if a == nil {
				return nil
			}
			err = nil
		}
		if err == nil && !st.replay {
			// From here on the bytes belong to this server.
			a.prepare(s, st)
			a.sock.SetDeadline(time.Now().Add(reachTimeout))
			if _, err := a.sock.Write(a.rest); err != nil {
				a.drop()
				return nil
			}
		}
		if err == nil {
			return a
		}
		w.failed(a)
	}
}

func (w *way) failed(a *attempt) {
	a.backend.counts.DialFailed.Add(1)
	w.watcher.Suspect(a.backend.key)
	a.drop()
}

// attempt begins a connection to the best backend that was not tried and is of
// a tier before the given one. down says that none is known to be well.
func (w *way) attempt(s *session, backends []*backend, tried []bool, before int) (a *attempt, down bool) {
	for {
		var space [16]candidate
		candidates := space[:0]
		slow := w.slowStart.Load()
		now := int64(0)
		for i, b := range backends {
			c := candidate{tier: int(b.tier.Load()), sessions: b.tries.Load(), share: 1}
			if tried[i] || c.tier >= before || w.strict.Load() && c.tier > tierNotReady {
				c.tier = tierNever
			} else if back := b.back.Load(); back != 0 {
				if now == 0 {
					now = time.Now().UnixNano()
				}
				c.share = rampUp(time.Duration(now-back), time.Duration(slow))
			}
			candidates = append(candidates, c)
		}
		i := pick(candidates, rand.Float64)
		if i < 0 {
			return nil, false
		}
		b := backends[i]
		tried[i] = true
		sock, err := relay.Dial(b.at, s.Client)
		if err != nil {
			b.counts.DialFailed.Add(1)
			w.watcher.Suspect(b.key)
			continue
		}
		b.tries.Add(1)
		return &attempt{backend: b, sock: sock}, candidates[i].tier > tierLeaving || b.view.Load().Held != ""
	}
}

type outcome struct {
	*attempt
	err error
}

// race: the first attempt is slow. Others begin beside it, one after another,
// and whoever answers first wins.
func (w *way) race(s *session, st start, slow *attempt, backends []*backend, tried []bool, down bool) *attempt {
	patience := reachTimeout
	if down {
		patience = lastTimeout
	}
	limit := time.Now().Add(patience)
	ends := time.NewTimer(patience)
	defer ends.Stop()
	ticks := time.NewTicker(hedgeDial)
	defer ticks.Stop()
	outcomes := make(chan outcome, len(backends))
	var running []*attempt
	run := func(a *attempt) {
		running = append(running, a)
		go func() {
			outcomes <- outcome{a, a.goOn(s, st, func(time.Duration) time.Time { return limit })}
		}()
	}
	// Beside an attempt that may yet win only good backends begin: one that is
	// not ready may well be the faster, and of no use.
	hedge := func() {
		if !w.spend() {
			return
		}
		a, _ := w.attempt(s, backends, tried, tierNotReady)
		if a == nil {
			w.budget.Add(hedgeCost)
			return
		}
		a.backend.counts.Hedged.Add(1)
		run(a)
	}
	defer func() { closeLosers(running, outcomes) }()
	st.outlive(slow)
	run(slow)
	hedge()
	for len(running) > 0 {
		select {
		case o := <-outcomes:
			running = without(running, o.attempt)
			if o.err == nil {
				return o.attempt
			}
			w.failed(o.attempt)
			before := tierNotReady
			if len(running) == 0 {
				before = tierNever
			}
			if a, _ := w.attempt(s, backends, tried, before); a != nil {
				run(a)
			}
		case <-ticks.C:
			hedge()
		case <-ends.C:
			return nil
		}
	}
	return nil
}

// outlive gives the attempts of a race a copy of the session's bytes: a loser
// may still write when the session has its answer and its buffer has gone to
// another one.
func (st *start) outlive(slow *attempt) {
	st.bytes = bytes.Clone(st.bytes)
	if len(slow.text) == len(st.bytes) { // without a PROXY header
		slow.rest = st.bytes[len(st.bytes)-len(slow.rest):]
	}
}

// closeLosers ends the attempts that still run. Their goroutines own the
// buffers, so they are waited for elsewhere.
func closeLosers(running []*attempt, outcomes chan outcome) {
	if len(running) == 0 {
		return
	}
	for _, a := range running {
		a.sock.Reset()
	}
	go func() {
		for range running {
			(<-outcomes).drop()
		}
	}()
}

func without(all []*attempt, a *attempt) []*attempt {
	var rest []*attempt
	for _, other := range all {
		if other != a {
			rest = append(rest, other)
		}
	}
	return rest
}

// gain and spend keep the budget of hedges.
func (w *way) gain() {
	if w.budget.Load() < hedgeMost {
		w.budget.Add(hedgeGain)
	}
}

func (w *way) spend() bool {
	if w.budget.Add(-hedgeCost) >= 0 {
		return true
	}
	w.budget.Add(hedgeCost)
	return false
}
