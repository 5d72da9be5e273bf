package health

import (
	"testing"
	"time"
)

func TestRefusedIsGoneAtOnce(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.run(3100 * time.Millisecond)
	w.servers["b"].answer = Answer{Result: Refused, Reason: "refused"}
	cut := w.now
	w.follow(w.m.Suspect("b", w.now))
	w.run(100 * time.Millisecond)
	w.want("b", Gone)
	if took := w.state("b").Since.Sub(cut); took > 10*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	// Its process may be ending in good order: what stands is not reset.
	w.run(2800 * time.Millisecond)
	if len(w.resets)+len(w.shed) != 0 {
		t.Errorf("resets %v, closed %v", w.resets, w.shed)
	}
	w.run(6 * time.Second)
	if shares := w.shed["b"]; len(w.resets) != 0 || len(shares) < 20 || shares[len(shares)-1] != 1 {
		t.Errorf("resets %v, closed %v", w.resets, w.shed)
	}
}

func TestUnreachableIsReset(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.run(3100 * time.Millisecond)
	w.servers["b"].answer = Answer{Result: Unreachable, Reason: "no route to host"}
	w.run(time.Second)
	w.want("b", Gone)
	if _, reset := w.resets["b"]; !reset {
		t.Error("its sessions were not reset")
	}
}

func TestRefusedAndThenSilent(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.run(3100 * time.Millisecond)
	w.servers["b"].answer = Answer{Result: Refused, Reason: "refused"}
	w.run(time.Second)
	w.want("b", Gone)
	w.silence("a", "b", "c") // our own network: it says nothing about b
	w.run(5 * time.Second)
	if len(w.resets) != 0 {
		t.Errorf("resets %v", w.resets)
	}
	w.servers["a"].silentFrom, w.servers["c"].silentFrom = time.Time{}, time.Time{}
	w.run(2 * time.Second)
	if at, reset := w.resets["b"]; !reset || len(w.resets) != 1 {
		t.Errorf("resets %v, of b at %v", w.resets, at.Sub(begin))
	}
}
