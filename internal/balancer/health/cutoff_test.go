package health

import (
	"testing"
	"time"
)

// lost is what an API server without a way to etcd says.
var lost = Answer{Result: NotOK, Reason: "/readyz: 500 (etcd-readiness)", CutOff: true}

// firstShed is how long after its state last changed sessions of a backend were
// first closed; 0 is never.
func (w *world) firstShed(name string, most time.Duration) time.Duration {
	for end := w.now.Add(most); w.now.Before(end); w.run(10 * time.Millisecond) {
		if len(w.shed[name]) > 0 {
			return w.now.Sub(w.state(name).Since)
		}
	}
	return 0
}

// One server has lost etcd and the others have it: no election.
func TestCutOffFromStorage(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.run(3 * time.Second)
	w.servers["b"].answer = lost
	w.run(500 * time.Millisecond)
	w.want("b", NotReady)
	if d := w.firstShed("b", 5*time.Second); d < settings.CutOff || d > settings.CutOff+shedEvery {
		t.Errorf("its sessions were closed after %v, want %v", d, settings.CutOff)
	}
}

// A third that is gone says nothing about an election; one that answers well does.
func TestCutOffBesideAGoneOne(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.run(3 * time.Second)
	w.silence("c")
	w.run(2 * time.Second)
	w.servers["b"].answer = lost
	w.run(500 * time.Millisecond)
	if d := w.firstShed("b", 5*time.Second); d < settings.CutOff || d > settings.CutOff+shedEvery {
		t.Errorf("its sessions were closed after %v, want %v", d, settings.CutOff)
	}
}

// Whoever shuts down, or whose checks hang, finishes what it has.
func TestNotReadyForAnotherReasonKeepsGrace(t *testing.T) {
	for _, s := range []server{{answer: Answer{Result: NotOK, Reason: "/readyz: 500 (shutdown)"}}, {hangs: true}} {
		w := newWorld(t, "a", "b", "c")
		w.run(3 * time.Second)
		*w.servers["b"] = s
		w.run(time.Second)
		w.want("b", NotReady)
		if d := w.firstShed("b", 5*time.Second); d < settings.Grace-10*time.Millisecond {
			t.Errorf("%v: closed after %v, want %v", s.answer, d, settings.Grace)
		}
	}
}

// An election takes etcd from all. Each API server knows by its own checks, which
// are up to one and a half time-outs old: one says so early, another answers 200
// from what it kept for as long.
func TestElectionClosesNothing(t *testing.T) {
	for election := 500 * time.Millisecond; election <= 2500*time.Millisecond; election += 100 * time.Millisecond {
		for skew := time.Duration(0); skew < settings.CutOff/2; skew += 90 * time.Millisecond {
			w := newWorld(t, "a", "b", "c")
			w.run(3 * time.Second)
			begun := w.now
			for w.now.Before(begun.Add(6 * time.Second)) {
				for name, phase := range map[string]time.Duration{"a": 0, "b": skew, "c": settings.CutOff/2 - 1} {
					if cached(w.now.Sub(begun), phase, election) {
						w.servers[name].answer = Answer{Result: OK}
					} else {
						w.servers[name].answer = lost
					}
				}
				w.run(10 * time.Millisecond)
			}
			if len(w.shed)+len(w.resets) > 0 {
				t.Fatalf("election of %v, phase %v: closed %v, reset %v; %v", election, skew, w.shed, w.resets, w.changes)
			}
		}
	}
}

// cached is what an API server's check of etcd says at a time after etcd's leader
// was lost. It asks at phase and then every half time-out, one question at a time
// as far as what it says goes: the last one that ended.
func cached(at, phase, election time.Duration) bool {
	said := true
	for asked := phase; asked <= at; asked += settings.CutOff / 2 {
		ends, ok := asked, true
		switch {
		case asked < election && election-asked < settings.CutOff:
			ends = election // it waits, and then it has its answer
		case asked < election:
			ends, ok = asked+settings.CutOff, false
		}
		if ends <= at {
			said = ok
		}
	}
	return said
}

// With many nodes questions are rare: what the others said before it was cut off
// says nothing.
func TestOldAnswersAreNoEvidence(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	rare := settings
	rare.Interval = 5 * time.Second
	w.follow(w.m.Set(rare, []string{"a", "b", "c"}, nil, w.now))
	w.run(12 * time.Second)
	w.m.find("a").next, w.m.find("c").next = w.now.Add(time.Hour), w.now.Add(time.Hour)
	w.servers["b"].answer = lost
	w.follow(w.m.Suspect("b", w.now))
	w.run(10 * time.Millisecond)
	w.want("b", NotReady)
	if d := w.firstShed("b", 5*time.Second); d < settings.Grace-10*time.Millisecond {
		t.Errorf("closed after %v, want %v", d, settings.Grace)
	}
}
