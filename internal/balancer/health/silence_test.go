package health

import (
	"testing"
	"time"
)

// stall stops a server whose host goes on: what it is asked meanwhile it answers
// afterwards.
func (w *world) stall(name string, d time.Duration) {
	s := w.servers[name]
	s.stalledUntil = w.now.Add(d)
	for i := range w.mail {
		if w.mail[i].backend == name && w.mail[i].at.Before(s.stalledUntil) {
			w.mail[i].at = s.stalledUntil
		}
	}
	w.sort()
}

// A server that is stopped while its host works: connections are taken, and
// nothing comes over them.
func TestHungServerIsGoneSoon(t *testing.T) {
	for offset := time.Duration(0); offset < 300*time.Millisecond; offset += 29 * time.Millisecond {
		w := newWorld(t, "a", "b", "c")
		w.run(3*time.Second + offset)
		w.servers["b"].reachable = true
		w.silence("b")
		cut := w.now
		w.run(2 * time.Second)
		w.want("b", Gone)
		most := settings.Interval + settings.Timeout + hungAfter + 10*time.Millisecond
		if took := w.resets["b"].Sub(cut); took > most || took < settings.Timeout+hungAfter-time.Millisecond {
			t.Errorf("stopped at %v: sessions were reset after %v", offset, took)
		}
	}
}

// A server whose host has no CPU to spare answers later and later, beyond the
// time-out. That is not silence.
func TestStarvedServerIsNotGone(t *testing.T) {
	for offset := time.Duration(0); offset < 300*time.Millisecond; offset += 29 * time.Millisecond {
		w := newWorld(t, "a", "b", "c")
		w.run(3*time.Second + offset)
		for _, takes := range []time.Duration{300, 700, 1200, 1700, 1200, 600, 20} {
			w.servers["b"].takes = takes * time.Millisecond
			w.run(3 * time.Second)
		}
		if at, reset := w.resets["b"]; reset {
			t.Fatalf("offset %v: sessions were reset %v after the start: %v", offset, at.Sub(begin), w.changes)
		}
		w.want("b", Ready)
	}
}

// One that was slow already may be silent for longer.
func TestStallOfASlowServerIsNotGone(t *testing.T) {
	for offset := time.Duration(0); offset < 300*time.Millisecond; offset += 29 * time.Millisecond {
		w := newWorld(t, "a", "b", "c")
		w.run(3*time.Second + offset)
		w.servers["b"].takes = 250 * time.Millisecond
		w.run(3 * time.Second)
		w.stall("b", 1300*time.Millisecond)
		w.run(3 * time.Second)
		if _, reset := w.resets["b"]; reset {
			t.Fatalf("offset %v: its sessions were reset: %v", offset, w.changes)
		}
	}
}

// No CPU at all for longer than the time-out, and then it goes on.
func TestShortStallIsNotGone(t *testing.T) {
	for offset := time.Duration(0); offset < 300*time.Millisecond; offset += 29 * time.Millisecond {
		w := newWorld(t, "a", "b", "c")
		w.run(3*time.Second + offset)
		w.stall("b", settings.Timeout+hungAfter-10*time.Millisecond)
		w.run(3 * time.Second)
		if _, reset := w.resets["b"]; reset {
			t.Fatalf("offset %v: its sessions were reset: %v", offset, w.changes)
		}
		w.want("b", Ready)
	}
}

// Where readiness hangs, one new connection shows whether the old one was the reason:
// each costs the server a handshake.
func TestHangingIsAskedOverOneNewConnection(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.run(3 * time.Second)
	before := w.renewed["b"]
	w.servers["b"].hangs = true
	w.run(1500 * time.Millisecond)
	if n := w.renewed["b"] - before; n != 1 {
		t.Errorf("%d new connections, want 1", n)
	}
}

// Checks must not add to what makes a server slow: it is asked as often as it
// answers, and soon as often as before once it is fast again.
func TestSlowServerIsAskedLess(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.run(3 * time.Second)
	asked := func(d time.Duration) int {
		before := w.asked["b"]
		w.run(d)
		return w.asked["b"] - before
	}
	fast := asked(10 * time.Second)
	w.servers["b"].takes = 700 * time.Millisecond
	w.run(3 * time.Second)
	if slow := asked(10 * time.Second); slow > fast*2/3 || slow < 10 {
		t.Errorf("asked %d times in 10 s, and %d times when it was fast", slow, fast)
	}
	w.servers["b"].takes = 2 * time.Millisecond
	w.run(5 * time.Second)
	if again := asked(10 * time.Second); again != fast {
		t.Errorf("asked %d times when it is fast again, %d before", again, fast)
	}
	w.want("b", Ready)
}
