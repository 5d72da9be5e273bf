package vrrp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// segment is a network on paper: routers, a clock, and what they send to each
// other at once.
type segment struct {
	t       *testing.T
	now     time.Time
	routers []*Machine
	names   []netip.Addr
	cut     map[int]bool // hears nothing and is not heard
	frozen  map[int]bool // does nothing
	log     []string
}

func newSegment(t *testing.T, configs ...Config) *segment {
	s := &segment{t: t, now: begin, cut: map[int]bool{}, frozen: map[int]bool{}}
	for i, c := range configs {
		c.VRID, c.Addresses = 51, []netip.Addr{vip}
		c.Local = netip.AddrFrom4([4]byte{10, 0, 0, byte(41 + i)})
		if c.Interval == 0 {
			c.Interval = 100 * ms
		}
		m := New(c, begin)
		s.routers, s.names = append(s.routers, &m), append(s.names, c.Local)
	}
	return s
}

func (s *segment) start(fit bool) {
	for i, m := range s.routers {
		s.do(i, m.Start(s.now, fit))
	}
}

// do is what the network does with what a router sends: all others hear it.
func (s *segment) do(from int, d Do) {
	if d.Change != nil {
		s.log = append(s.log, fmt.Sprintf("%d ms: %d %s", s.now.Sub(begin).Milliseconds(), from, d.Change.To))
	}
	if s.cut[from] {
		return
	}
	for _, p := range d.Send {
		a := Advert{VRID: 51, Priority: p, Interval: s.routers[from].conf.Interval, Addresses: []netip.Addr{vip}}
		for to, m := range s.routers {
			if to != from && !s.cut[to] && !s.frozen[to] {
				s.do(to, m.Heard(s.now, a, s.names[from]))
			}
		}
	}
}

// run lets time pass.
func (s *segment) run(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); s.now = s.now.Add(ms) {
		for i, m := range s.routers {
			if !s.frozen[i] {
				s.do(i, m.Tick(s.now))
			}
		}
	}
}

func (s *segment) active() (out []int) {
	for i, m := range s.routers {
		if m.state == Active {
			out = append(out, i)
		}
	}
	return out
}

func (s *segment) want(active ...int) {
	s.t.Helper()
	if got := s.active(); !slices.Equal(got, active) {
		s.t.Fatalf("at %v active are %v, want %v\n%s", s.now.Sub(begin), got, active, strings.Join(s.log, "\n"))
	}
}

// took is how long it takes until exactly this one is active.
func (s *segment) took(one int) time.Duration {
	s.t.Helper()
	for at := s.now; ; s.run(ms) {
		if slices.Equal(s.active(), []int{one}) {
			return s.now.Sub(at)
		}
		if s.now.Sub(at) > 10*time.Second {
			s.t.Fatalf("%d is not active\n%s", one, strings.Join(s.log, "\n"))
		}
	}
}

func pair(t *testing.T, preempt bool) *segment {
	s := newSegment(t, Config{Priority: 150, Preempt: preempt}, Config{Priority: 100, Preempt: preempt})
	s.start(true)
	s.run(time.Second)
	s.want(0)
	return s
}

func TestTimersAreTheRFCs(t *testing.T) {
	m := New(Config{Priority: 100, Interval: time.Second}, begin)
	m.fit = true
	if m.Skew() != 609375*time.Microsecond || m.DownInterval() != 3609375*time.Microsecond {
		t.Errorf("skew %v, down interval %v", m.Skew(), m.DownInterval())
	}
}

func TestHostLost(t *testing.T) {
	s := pair(t, false)
	s.cut[0], s.frozen[0] = true, true
	at := s.now
	for s.routers[1].state != Active {
		s.run(ms)
	}
	if took := s.now.Sub(at); took < 260*ms || took > 362*ms {
		t.Errorf("took over after %v; the RFC's timer is 361 ms from the last advert", took)
	}
}

func TestCleanStop(t *testing.T) {
	s := pair(t, false)
	s.do(0, s.routers[0].Stop(s.now, "stopped"))
	if took := s.took(1); took > 62*ms {
		t.Errorf("took over after %v; skew is 61 ms", took)
	}
}

func TestPreemption(t *testing.T) {
	for _, preempt := range []bool{true, false} {
		s := pair(t, preempt)
		s.do(0, s.routers[0].Stop(s.now, "stopped"))
		s.run(time.Second)
		s.want(1)
		s.do(0, s.routers[0].Start(s.now, true))
		s.run(2 * time.Second)
		if preempt {
			s.want(0)
		} else {
			s.want(1)
		}
	}
}

func TestOwner(t *testing.T) {
	s := newSegment(t, Config{Priority: Owner}, Config{Priority: 254})
	s.do(1, s.routers[1].Start(s.now, true))
	s.run(time.Second)
	s.want(1)
	s.do(0, s.routers[0].Start(s.now, true))
	s.want(0)
}

// Two that could not hear each other: the better one stays, whoever preempts;
// of equals the one of the higher address.
func TestTwoActive(t *testing.T) {
	for _, c := range []struct{ p0, p1, stays int }{{150, 100, 0}, {100, 150, 1}, {100, 100, 1}} {
		s := newSegment(t, Config{Priority: uint8(c.p0)}, Config{Priority: uint8(c.p1)})
		s.cut[0] = true
		s.start(true)
		s.run(time.Second)
		s.want(0, 1)
		s.cut[0] = false
		s.run(200 * ms)
		s.want(c.stays)
	}
}

// A router without a way to a server gives up at once, one that has a way takes
// over from it, also without preemption, and it stays there.
func TestFitness(t *testing.T) {
	s := pair(t, false)
	s.do(0, s.routers[0].Fit(s.now, false, "no API server answers"))
	if took := s.took(1); took > 62*ms {
		t.Errorf("took over after %v", took)
	}
	s.do(0, s.routers[0].Fit(s.now, true, ""))
	s.run(2 * time.Second)
	s.want(1)

	// Nobody has a way: somebody holds the address all the same, and does not change.
	s = pair(t, false)
	s.do(1, s.routers[1].Fit(s.now, false, "none"))
	s.do(0, s.routers[0].Fit(s.now, false, "none"))
	s.run(time.Second)
	one := s.active()
	if len(one) != 1 {
		t.Fatalf("active: %v", one)
	}
	changes := len(s.log)
	s.run(5 * time.Second)
	s.want(one...)
	if len(s.log) != changes {
		t.Errorf("it goes to and fro:\n%s", strings.Join(s.log, "\n"))
	}
	other := 1 - one[0]
	s.do(other, s.routers[other].Fit(s.now, true, ""))
	s.run(time.Second)
	s.want(other)
}

// A process that was frozen does not come back as the active one beside another.
func TestLost(t *testing.T) {
	s := pair(t, false)
	s.frozen[0] = true
	s.run(time.Second)
	s.want(0, 1)
	s.frozen[0] = false
	do := s.routers[0].Lost(s.now, "was away")
	if !do.Release {
		t.Error("it keeps the address")
	}
	s.do(0, do)
	s.run(2 * time.Second)
	s.want(1)
}

func TestHold(t *testing.T) {
	s := newSegment(t, Config{Priority: 100})
	s.do(0, s.routers[0].Start(s.now, true))
	s.run(300 * ms)
	s.routers[0].Hold(s.now, "in use by 02:00:00:00:00:01")
	s.run(900 * ms)
	s.want()
	s.run(200 * ms)
	s.want(0)
}

// The interval of the active router counts, as in the RFC: a pair with unequal
// ones does not quarrel.
func TestOtherInterval(t *testing.T) {
	s := newSegment(t, Config{Priority: 150, Interval: time.Second}, Config{Priority: 100, Interval: 100 * ms})
	s.do(0, s.routers[0].Start(s.now, true))
	s.run(5 * time.Second)
	s.do(1, s.routers[1].Start(s.now, true))
	s.run(10 * time.Second)
	s.want(0)
}

// Whatever happens to a segment: a second after it calms down one router is
// active, the best of those that are fit when all preempt.
func TestRandomFaults(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		preempt := seed%2 == 0
		s := newSegment(t, Config{Priority: 150, Preempt: preempt}, Config{Priority: 100, Preempt: preempt},
			Config{Priority: 100, Preempt: preempt})
		s.start(true)
		for range 30 {
			i := r.IntN(3)
			switch m := s.routers[i]; r.IntN(6) {
			case 0:
				s.cut[i] = !s.cut[i]
			case 1:
				s.do(i, m.Stop(s.now, "stopped"))
			case 2:
				s.do(i, m.Start(s.now, r.IntN(2) == 0))
			case 3:
				s.do(i, m.Fit(s.now, r.IntN(2) == 0, "x"))
			case 4:
				if s.frozen[i] = !s.frozen[i]; !s.frozen[i] {
					s.do(i, m.Lost(s.now, "was away"))
				}
			}
			s.run(time.Duration(r.IntN(500)) * ms)
		}
		clear(s.cut)
		for i, m := range s.routers {
			if s.frozen[i] {
				s.do(i, m.Lost(s.now, "was away"))
			}
			delete(s.frozen, i)
			s.do(i, m.Start(s.now, true))
		}
		s.run(2 * time.Second)
		s.do(1, s.routers[1].Fit(s.now, true, ""))
		s.run(3 * time.Second)
		got := s.active()
		if len(got) != 1 {
			t.Fatalf("seed %d: active are %v\n%s", seed, got, strings.Join(s.log, "\n"))
		}
		if m := s.routers[got[0]]; !m.fit {
			t.Fatalf("seed %d: %d is active and not fit", seed, got[0])
		}
		if preempt && s.routers[0].fit && got[0] != 0 {
			t.Fatalf("seed %d: %d is active, and 0 is better", seed, got[0])
		}
	}
}
