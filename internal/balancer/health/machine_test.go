package health

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestSilentBackendIsGoneWithinASecond(t *testing.T) {
	for offset := time.Duration(0); offset < 300*time.Millisecond; offset += 7 * time.Millisecond {
		w := newWorld(t, "a", "b", "c")
		w.run(3*time.Second + offset)
		w.silence("b")
		cut := w.now
		w.run(2 * time.Second)
		w.want("a", Ready)
		w.want("b", Gone)
		w.want("c", Ready)
		if took := w.resets["b"].Sub(cut); took > settings.Interval+settings.Timeout || took < settings.Timeout-time.Millisecond {
			t.Errorf("cut at %v: sessions were reset after %v", offset, took)
		}
		w.servers["b"].silentFrom = time.Time{}
		w.run(time.Second)
		w.want("b", Ready)
	}
}

func TestTwoOfThreeSilentAtOnce(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.run(3100 * time.Millisecond)
	w.silence("a", "b")
	w.run(time.Second)
	w.want("a", Gone)
	w.want("b", Gone)
	w.want("c", Ready)
}

func TestTheLastBackendStays(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.run(time.Second)
	w.silence("a")
	w.run(time.Second)
	w.want("a", Gone)
	w.servers["b"].answer = Answer{Result: Refused, Reason: "refused"}
	w.run(time.Minute)
	w.want("b", Ready)
	if v := w.state("b"); v.Held != "refused" {
		t.Errorf("held for %q", v.Held)
	}
	// The other one comes back: now b goes at once, without a second fault.
	w.servers["a"].silentFrom = time.Time{}
	w.run(time.Second)
	w.want("a", Ready)
	w.want("b", Gone)
}

func TestOurOwnNetworkFails(t *testing.T) {
	for offset := time.Duration(0); offset < 250*time.Millisecond; offset += 11 * time.Millisecond {
		w := newWorld(t, "a", "b", "c")
		w.run(3*time.Second + offset)
		seen := len(w.changes)
		w.silence("a", "b", "c")
		w.run(7*time.Second + offset)
		// It comes back, for one a little later than for others.
		w.servers["b"].silentFrom, w.servers["c"].silentFrom = time.Time{}, time.Time{}
		w.run(40 * time.Millisecond)
		w.servers["a"].silentFrom = time.Time{}
		w.run(5 * time.Second)
		if len(w.changes) != seen || len(w.resets) != 0 {
			t.Fatalf("offset %v: changes %v, resets %v", offset, w.changes[seen:], w.resets)
		}
	}
}

func TestWeWereStopped(t *testing.T) {
	for offset := time.Duration(0); offset < 250*time.Millisecond; offset += 11 * time.Millisecond {
		w := newWorld(t, "a", "b", "c")
		w.run(3*time.Second + offset)
		for _, s := range w.servers {
			s.takes = 30 * time.Millisecond
		}
		w.run(260 * time.Millisecond)
		seen := len(w.changes)
		w.now = w.now.Add(5 * time.Second) // and the mail lies unread
		w.follow(w.m.Tick(w.now))
		w.run(5 * time.Second)
		if len(w.changes) != seen || w.m.Lags() == 0 {
			t.Fatalf("offset %v: changes %v, %d lags", offset, w.changes[seen:], w.m.Lags())
		}
	}
}

func TestNotReadyKeepsItsSessionsForAWhile(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.run(3100 * time.Millisecond)
	w.servers["b"].answer = Answer{Result: NotOK, Reason: "/readyz: 500"}
	w.run(300 * time.Millisecond)
	w.want("b", NotReady)
	since := w.now
	w.run(2600 * time.Millisecond)
	if len(w.shed["b"]) != 0 {
		t.Fatalf("sessions were closed %v after it was not ready", w.now.Sub(since))
	}
	w.run(6 * time.Second)
	shares := w.shed["b"]
	if len(shares) < 20 || shares[0] < 20 || shares[len(shares)-1] != 1 {
		t.Errorf("closed one over %v", shares)
	}
	if len(w.resets) != 0 {
		t.Errorf("resets: %v", w.resets)
	}
}

func TestNotReadyWithoutAnotherKeepsItsSessions(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.run(time.Second)
	for _, s := range w.servers {
		s.answer = Answer{Result: NotOK, Reason: "/readyz: 500"}
	}
	w.run(time.Minute)
	if len(w.shed) != 0 || len(w.resets) != 0 {
		t.Errorf("closed %v, reset %v", w.shed, w.resets)
	}
	if w.state("a").State != Ready && w.state("b").State != Ready {
		t.Error("no backend is left in use")
	}
}

func TestHangingReadyzIsNotSilence(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.run(3100 * time.Millisecond)
	w.servers["b"].hangs = true
	w.run(2 * time.Second)
	w.want("b", NotReady)
	if len(w.resets) != 0 {
		t.Fatal("sessions were reset although the server lives")
	}
	w.silence("b") // and then it is lost altogether
	w.run(2 * time.Second)
	w.want("b", Gone)
	w.servers["b"].hangs, w.servers["b"].silentFrom = false, time.Time{}
	w.run(2 * time.Second)
	w.want("b", Ready)
}

func TestOneBrokenConnectionIsAskedAboutAgain(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.run(3100 * time.Millisecond)
	seen := len(w.changes)
	w.servers["b"].answer = Answer{Result: Broken, Reason: "EOF"}
	w.follow(w.m.Suspect("b", w.now))
	w.servers["b"].answer = Answer{}
	w.run(time.Second)
	if len(w.changes) != seen {
		t.Errorf("changes: %v", w.changes[seen:])
	}
	w.servers["b"].answer = Answer{Result: Broken, Reason: "certificate of an unknown authority"}
	w.run(time.Second)
	w.want("b", Gone)
}

func TestBarredIsNeverKept(t *testing.T) {
	w := newWorld(t, "a")
	w.run(time.Second)
	w.servers["a"].answer = Answer{Result: Bar, Reason: "learner"}
	w.run(time.Second)
	w.want("a", Barred)
	if _, reset := w.resets["a"]; !reset {
		t.Error("its sessions were not reset")
	}
	w.servers["a"].answer = Answer{}
	w.run(time.Second)
	w.want("a", Ready)
}

func TestLeavingIsShedWhileAnotherIsReady(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.run(time.Second)
	w.follow(w.m.Set(settings, []string{"a", "b"}, map[string]Mode{"a": Leaving}, w.now))
	w.silence("b")
	w.run(5 * time.Second)
	before := len(w.shed["a"])
	if before > 8 { // b may have been taken for ready for some 750 ms
		t.Errorf("%d times sessions were closed although no other is ready", before)
	}
	w.servers["b"].silentFrom = time.Time{}
	w.run(5 * time.Second)
	if len(w.shed["a"]) == before {
		t.Error("its sessions were not closed")
	}
}

func TestFailedDialsDoNotFlood(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.run(time.Second)
	before := w.asked["a"]
	for range 1000 {
		w.follow(w.m.Suspect("a", w.now))
		w.run(time.Millisecond)
	}
	if n := w.asked["a"] - before; n > 30 {
		t.Errorf("1000 hints in a second brought %d questions", n)
	}
}

// TestNobodyLeftOut runs random faults and checks what must hold at any time:
// while some backend has answered well all the time, one is in use; and faults
// of all at once take out nobody who was ready before.
func TestNobodyLeftOut(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		names := []string{"a", "b", "c", "d"}[:2+r.IntN(3)]
		w := newWorld(t, names...)
		w.run(time.Second)
		for range 40 {
			s := w.servers[names[r.IntN(len(names))]]
			*s = server{takes: time.Duration(r.IntN(120)) * time.Millisecond}
			switch r.IntN(6) {
			case 0:
				s.silentFrom = w.now
			case 1:
				s.hangs = true
			case 2:
				s.answer = Answer{Result: []Result{NotOK, Refused, Broken, OurFault}[r.IntN(4)], Reason: "random"}
			}
			w.run(time.Duration(r.IntN(1500)) * time.Millisecond)
			if !slices.ContainsFunc(w.m.Views(), func(v View) bool { return v.State == Ready }) {
				t.Fatalf("seed %d: nobody is in use: %+v", seed, w.m.Views())
			}
		}
		// All well again: everybody is back soon, and for good.
		for _, s := range w.servers {
			*s = server{takes: time.Millisecond}
		}
		w.run(3 * time.Second)
		for _, n := range names {
			w.want(n, Ready)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
