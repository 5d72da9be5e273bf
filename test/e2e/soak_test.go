//go:build lab && soak

package e2e

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/prober"
	"quorate.dev/quorate/test/history"
)

// TestSoak changes, breaks and heals one cluster at random, for as many minutes
// as QUORATE_SOAK_MINUTES says, with quorate killed and hosts powered off in the
// middle. After each round all must be whole. The first round that fails ends
// it; either way it ends with a report.
func TestSoak(t *testing.T) {
	minutes, err := strconv.Atoi(os.Getenv("QUORATE_SOAK_MINUTES"))
	if err != nil {
		minutes = 30
	}
	end := time.Now().Add(time.Duration(minutes) * time.Minute)
	s := &soak{trial: newTrial(t, "soak", "systemd", 4), by: map[string]*tally{}, begun: time.Now()}
	s.worst = 2
	defer func() { t.Log(s) }()
	for s.rounds = 1; time.Now().Before(end); s.rounds++ {
		s.draw(s.rounds)
		if !t.Run(fmt.Sprint(s.rounds), s.round) {
			t.Logf("round %d failed: QUORATE_SEED=%d repeats what led to it", s.rounds, s.seed)
			return
		}
	}
	s.rounds--
}

// soak is what was done so far, and how it went.
type soak struct {
	*trial
	begun  time.Time
	rounds int
	by     map[string]*tally // by action
}

// tally is of one kind of action.
type tally struct {
	times, kills, cuts, applies int
	took, longest               time.Duration
	requests, failed, writes    int
	lost, breaks                int
	gap                         time.Duration
	verdicts                    map[history.Verdict]int
}

// The ways to apply.
const (
	calmly  = "" // to its end
	killed  = "quorate killed"
	powered = "a host off"
)

// round is one change of the file or one fault, and its healing.
func (s *soak) round(t *testing.T) {
	begun, before := time.Now(), s.voters
	action, what, voters, args := "heal", "", before, []string(nil)
	hurt := func() {}
	if len(before) == 1 && s.random.IntN(3) > 0 || s.random.IntN(5) < 2 {
		what, voters = s.next()
		action = strings.Fields(what)[0]
		what = strings.TrimSpace(strings.TrimPrefix(what, action) + fmt.Sprintf(" %v to %v", before, voters))
	} else {
		f := s.fault()
		action, what = "heal: "+f.kind, f.host+": "+f.what
		hurt = func() { s.on(t, f.host, f.script) }
		if len(before) == 1 {
			args = []string{"--accept-outage"} // what is broken may take the only one along
		}
	}
	way := []string{calmly, killed, killed, powered}[s.random.IntN(4)]
	t.Logf("round %d: %s %s %s", s.rounds, action, what, way)

	a := s.ask(t)
	s.only(t, voters...)
	hurt()
	n := s.by[action]
	if n == nil {
		n = &tally{verdicts: map[history.Verdict]int{}}
		s.by[action] = n
	}
	n.times++
	// A host that is off beside one that is broken may be one too many.
	if way == powered && strings.HasPrefix(action, "heal") {
		way = killed
	}
	switch way {
	case calmly:
		n.applies += s.finish(t, args...)
	case killed:
		kills, runs := s.killed(t, 4, args...)
		n.kills, n.applies = n.kills+kills, n.applies+runs
	case powered:
		s.powerCut(t, slices.Concat(before, voters), args...)
		n.cuts, n.applies = n.cuts+1, n.applies+1+s.finish(t, args...)
	}
	took := time.Since(begun)
	n.took, n.longest = n.took+took, max(n.longest, took)
	s.whole(t)
	report, seen := a.answered(t)
	n.add(report, seen)
	t.Logf("ROUND %d: %s %s %s: %.1f s\n%s\n%s", s.rounds, action, what, way, took.Seconds(), report, seen)
}

func (n *tally) add(r prober.Report, seen history.Result) {
	n.requests, n.failed, n.writes = n.requests+r.Requests, n.failed+r.Failures, n.writes+r.Writes
	n.lost, n.breaks, n.gap = n.lost+len(r.Lost), n.breaks+r.WatchBreaks, max(n.gap, r.LongestGap.Duration())
	n.verdicts[seen.Verdict]++
}

// String is the report.
func (s *soak) String() string {
	var b strings.Builder
	all := &tally{verdicts: map[history.Verdict]int{}}
	fmt.Fprintf(&b, "SOAK: %d rounds in %.1f minutes; QUORATE_SEED=%d\n", s.rounds, time.Since(s.begun).Minutes(), s.seed)
	fmt.Fprintf(&b, "%-26s %5s %6s %4s %7s %8s %8s %9s %7s %8s %5s %7s  %s\n", "action", "times", "kills", "off", "applies", "mean",
		"longest", "requests", "failed", "gap", "lost", "watches", "histories")
	line := func(name string, n *tally) {
		fmt.Fprintf(&b, "%-26s %5d %6d %4d %7d %6.1f s %6.1f s %9d %7d %6.2f s %5d %7d  %v\n", name, n.times, n.kills, n.cuts, n.applies,
			n.took.Seconds()/float64(max(n.times, 1)), n.longest.Seconds(), n.requests, n.failed, n.gap.Seconds(), n.lost, n.breaks, n.verdicts)
	}
	for _, name := range slices.Sorted(maps.Keys(s.by)) {
		n := s.by[name]
		line(name, n)
		all.times, all.kills, all.cuts, all.applies = all.times+n.times, all.kills+n.kills, all.cuts+n.cuts, all.applies+n.applies
		all.took, all.longest = all.took+n.took, max(all.longest, n.longest)
		all.requests, all.failed, all.lost, all.breaks, all.gap = all.requests+n.requests, all.failed+n.failed, all.lost+n.lost, all.breaks+
			n.breaks, max(all.gap, n.gap)
		for v, k := range n.verdicts {
			all.verdicts[v] += k
		}
	}
	line("all", all)
	verdict := "yes"
	if all.verdicts[history.Linearizable] != all.times {
		verdict = "NO, or not known: see above"
	}
	fmt.Fprintf(&b, "lost writes: %d; linearizable: %s", all.lost, verdict)
	return b.String()
}
