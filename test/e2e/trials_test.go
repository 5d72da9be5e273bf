//go:build lab

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/spec"
)

// TestTrials changes one cluster while quorate is killed between the steps, and
// while hosts lose their power in the middle of them. However it went, the end
// is the same: what the file says, with every acknowledged write, and with
// nobody having read what was not so. Each trial goes on where the last ended.
func TestTrials(t *testing.T) { trials(t, "trials", "systemd", powerOffs) }

// TestKubeadmTrials is the same with kubeadm's static pods.
func TestKubeadmTrials(t *testing.T) { trials(t, "kubeadmtrials", spec.FlavourKubeadm, powerOffs/2) }

func trials(t *testing.T, lab, flavour string, powerOffs int) {
	if !allChanges {
		t.Skip("only with all changes (make test-all)")
	}
	x := newTrial(t, lab, flavour, 4)
	x.worst = 3
	cp := x.controlPlanes()
	trials := []struct {
		name   string
		voters []string
	}{
		{"grow", []string{cp[0], cp[1], cp[2]}},
		{"replace", []string{cp[0], cp[3], cp[2]}},
		{"replace the first", []string{cp[1], cp[3], cp[2]}},
		{"shrink", []string{cp[3]}},
	}
	for i, c := range trials {
		x.draw(i)
		if !t.Run("killed/"+c.name, func(t *testing.T) { x.trialOfKills(t, c.name, c.voters) }) {
			return
		}
	}
	for i := range powerOffs {
		x.draw(len(trials) + i)
		if !t.Run(fmt.Sprint("power off/", i+1), func(t *testing.T) { x.trialOfPower(t) }) {
			return
		}
	}
}

func (x *trial) trialOfKills(t *testing.T, change string, voters []string) {
	begun := time.Now()
	a := x.ask(t)
	x.only(t, voters...)
	kills, _ := x.killed(t, killEvery)
	took := time.Since(begun)
	x.whole(t)
	report, seen := a.answered(t)
	t.Logf("TRIAL %s to %v: killed %d times, %.1f s\n%s\n%s", change, voters, kills, took.Seconds(), report, seen)
}

// next draws a change that the cluster can make: one grows to three; three
// shrink to one or get another in the place of one.
func (x *trial) next() (change string, voters []string) {
	voters = slices.Clone(x.voters)
	x.random.Shuffle(len(voters), func(i, j int) { voters[i], voters[j] = voters[j], voters[i] })
	spare := x.spare()
	x.random.Shuffle(len(spare), func(i, j int) { spare[i], spare[j] = spare[j], spare[i] })
	switch {
	case len(voters) == 1:
		return "grow", append(voters, spare[:2]...)
	case x.random.IntN(2) == 0:
		return "shrink", voters[:1]
	}
	return "replace " + voters[0], append(voters[1:], spare[0])
}

// steps are those of the plan as it is now.
func (x *trial) steps(t *testing.T) (steps []plan.About) {
	t.Helper()
	var p struct {
		Stages []struct{ Steps []plan.About }
	}
	if err := json.Unmarshal([]byte(x.plan(t, "-o", "json").want(t, 2).out), &p); err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Stages {
		steps = append(steps, s.Steps...)
	}
	return steps
}

// trialOfPower takes the power off a host when a step begins, any host and any
// step. It comes back when apply has ended, however it did, or while it waits.
func (x *trial) trialOfPower(t *testing.T) {
	begun, before := time.Now(), x.voters
	change, voters := x.next()
	a := x.ask(t)
	x.only(t, voters...)
	cut := x.powerCut(t, slices.Concat(before, voters))
	runs := x.finish(t)
	x.whole(t)
	report, seen := a.answered(t)
	t.Logf("TRIAL %s, %v to %v: %s; %d more applies and %.1f s to the same end; %.1f s in all\n%s\n%s",
		change, before, voters, cut, runs, time.Since(cut.back).Seconds(), time.Since(begun).Seconds(), report, seen)
}

// powerCut is a host that was off for the rest of an apply.
type powerCut struct {
	host, at string
	off      time.Duration
	code     int // of the apply, however it ended
	back     time.Time
}

func (p powerCut) String() string {
	return fmt.Sprintf("%s off for %.1f s at %s, apply ended with %d", p.host, p.off.Seconds(), p.at, p.code)
}

// powerCut applies, and takes the power off one of the hosts in the middle.
func (x *trial) powerCut(t *testing.T, hosts []string, args ...string) powerCut {
	t.Helper()
	slices.Sort(hosts)
	p := powerCut{host: x.pick(slices.Compact(hosts)), at: "the end"}
	n := x.random.IntN(len(x.steps(t)))
	r := x.begin(t, args...)
	if r.until(func(ev engine.Event) bool {
		if ev.Kind == engine.StepRun {
			n--
		}
		return n < 0
	}) {
		p.at = r.seen[len(r.seen)-1].Step.Key()
	}
	x.power(t, p.host, false)
	cut, ended := time.Now(), make(chan int, 1)
	go func() { ended <- r.end() }()
	back := func() { x.power(t, p.host, true); p.back, p.off = time.Now(), time.Since(cut) }
	select {
	case p.code = <-ended:
		back()
	case <-time.After(away):
		back()
		p.code = <-ended
	}
	if p.code < 0 {
		t.Errorf("apply did not end within %s", 2*patience)
	}
	t.Logf("%s\n%s", p, said(r))
	return p
}
