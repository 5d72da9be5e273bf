package balancer

import (
	"errors"
	"time"

	"quorate.dev/quorate/internal/balancer/relay"
	"quorate.dev/quorate/internal/balancer/wire"
)

// helloTimeout is how long a client may take for its first message.
const helloTimeout = 10 * time.Second

// session is one client's connection.
type session struct {
	relay.Pair
	way           *way
	backend       *backend
	before, after *session // in the list that it is in
}

var errNoHello = errors.New("the client closed the connection before its first message was complete")

// accept takes a connection from a listener. It must not block.
func (w *way) accept(c *relay.Sock) {
	w.counts.Connections.Add(1)
	if w.live.Add(1) > w.limit.Load() {
		w.live.Add(-1)
		w.counts.Limited.Add(1)
		c.Reset()
		w.sayLimited(nil)
		return
	}
	go w.serve(c)
}

func (w *way) serve(c *relay.Sock) {
	s := &session{Pair: relay.Pair{Client: c}, way: w}
	if oldest := w.pending.add(s, w.mostPending()); oldest != nil {
		oldest.Client.Reset()
	}
	c.SetDeadline(time.Now().Add(helloTimeout))
	start, pooled, err := s.start()
	if !w.pending.remove(s) && err == nil {
		err = errNoHello // it had to give way
	}
	if err != nil {
		w.counts.Incomplete.Add(1)
		s.refuse(pooled)
		return
	}
	a := w.reach(s, start)
	if a == nil {
		w.counts.Refused.Add(1)
		s.refuse(pooled)
		return
	}
	relay.Give(pooled)
	s.begin(a)
}

// start is the first bytes of a connection, and whether another server may get
// them too.
type start struct {
	bytes  []byte
	replay bool
}

// start holds a ClientHello back until it is whole; anything else it returns
// at once. pooled is a buffer to give back when the bytes are not needed more.
func (s *session) start() (st start, pooled []byte, err error) {
	b, err := s.Client.ReadPooled()
	if err != nil || b == nil {
		return start{}, nil, errors.Join(errNoHello, err)
	}
	verdict := wire.Hello(b)
	if verdict != wire.More {
		return start{b, verdict == wire.Whole}, b, nil
	}
	// It comes in pieces. A copy of its own size waits for the rest.
	all := append([]byte(nil), b...)
	relay.Give(b)
	for verdict == wire.More {
		b, err := s.Client.ReadPooled()
		if err != nil || b == nil {
			return start{}, nil, errors.Join(errNoHello, err)
		}
		all = append(all, b...)
		relay.Give(b)
		verdict = wire.Hello(all)
	}
	return start{all, verdict == wire.Whole}, nil, nil
}

func (s *session) refuse(pooled []byte) {
	relay.Give(pooled)
	s.Client.Reset()
	s.way.live.Add(-1)
}

// begin passes the first answer on and lets the bytes flow.
func (s *session) begin(a *attempt) {
	s.backend, s.Server = a.backend, a.sock
	s.FromClient, s.ToClient = &a.backend.counts.FromClient, &a.backend.counts.ToClient
	a.backend.counts.Connections.Add(1)
	a.backend.counts.FromClient.Add(int64(len(a.text)))
	a.text, a.rest = nil, nil
	a.backend.sessions.add(s, 0)
	s.Client.SetDeadline(time.Time{})
	s.Server.SetDeadline(time.Time{})
	if len(a.first) > 0 {
		_, err := s.Client.Write(a.first)
		a.backend.counts.ToClient.Add(int64(len(a.first)))
		relay.Give(a.first)
		if err != nil {
			s.Reset()
		}
	}
	s.Run(s.end)
}

func (s *session) end() {
	s.backend.sessions.remove(s)
	s.backend.tries.Add(-1)
	s.way.live.Add(-1)
}
