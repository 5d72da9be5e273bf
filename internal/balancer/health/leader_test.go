package health

import (
	"slices"
	"testing"
	"time"
)

// lead makes one of the members the leader, as those say who answer.
func (w *world) lead(leader string, names ...string) {
	for _, n := range names {
		w.servers[n].answer = Answer{Result: OK, Self: n, Leader: leader}
	}
}

func newMembers(t *testing.T) *world {
	w := newWorld(t, "a", "b", "c")
	w.lead("a", "a", "b", "c")
	w.run(3 * time.Second)
	return w
}

func (w *world) wantResets(names ...string) {
	w.t.Helper()
	var got []string
	for n := range w.resets {
		got = append(got, n)
	}
	slices.Sort(got)
	if !slices.Equal(got, names) {
		w.t.Errorf("sessions were reset of %v, want %v", got, names)
	}
}

// What the followers sent to the leader is lost with it.
func TestLostLeaderResetsFollowers(t *testing.T) {
	w := newMembers(t)
	w.silence("a")
	w.run(1200 * time.Millisecond)
	w.wantResets("a")
	for _, n := range []string{"b", "c"} {
		w.servers[n].answer = Answer{Result: NotOK, Reason: "it knows no leader", Self: n}
	}
	w.run(500 * time.Millisecond)
	w.lead("c", "b", "c")
	chosen := w.now
	w.run(time.Second)
	w.wantResets("a", "b", "c")
	for _, n := range []string{"b", "c"} {
		if took := w.resets[n].Sub(chosen); took > settings.Interval+10*time.Millisecond {
			t.Errorf("%s: its sessions were reset %v after the election", n, took)
		}
	}
	// And once only.
	clear(w.resets)
	w.run(5 * time.Second)
	w.wantResets()
	w.servers["a"].silentFrom = time.Time{}
	w.lead("c", "a")
	w.run(5 * time.Second)
	w.wantResets()
}

// A leader that stops hands over first, and is refused later.
func TestHandOverResetsNobody(t *testing.T) {
	w := newMembers(t)
	w.lead("b", "a", "b", "c")
	w.run(time.Second)
	w.servers["a"].answer = Answer{Result: Refused, Reason: "refused"}
	w.run(5 * time.Second)
	w.wantResets()
}

// A lost follower changes no leader.
func TestLostFollowerResetsNobodyElse(t *testing.T) {
	w := newMembers(t)
	w.silence("c")
	w.run(5 * time.Second)
	w.wantResets("c")
}

// An election while all are well, as when a disk was slow, loses nothing that
// could not be answered.
func TestElectionOfTheLivingResetsNobody(t *testing.T) {
	w := newMembers(t)
	w.lead("c", "a", "b", "c")
	w.run(5 * time.Second)
	w.wantResets()
}
