//go:build lab

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/engine"
)

// running is an apply at work, whose events are read as they come.
type running struct {
	cmd    *exec.Cmd
	events <-chan engine.Event // closed when it has ended
	err    bytes.Buffer        // its stderr; read it after the end
	cancel context.CancelFunc
	seen   []engine.Event // those that were read
}

func (c *cluster) begin(t *testing.T, args ...string) *running {
	t.Helper()
	return c.beginTo(t, append([]string{"apply"}, args...)...)
}

// beginTo begins any command that tells events.
func (c *cluster) beginTo(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	r := &running{cmd: exec.CommandContext(ctx, program, append(args, "--yes", "-o", "json", "-f", filepath.Base(c.File))...), cancel: cancel}
	r.cmd.Dir, r.cmd.Stderr = c.dir, &r.err
	out, err := r.cmd.StdoutPipe()
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan engine.Event, 10000)
	r.events = events
	go func() {
		defer close(events)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var ev engine.Event
			if json.Unmarshal(lines.Bytes(), &ev) == nil {
				events <- ev
			}
		}
	}()
	t.Cleanup(cancel)
	return r
}

// kill ends it as a power cut on the operator's machine would.
func (r *running) kill() { _ = r.cmd.Process.Kill() }

// end waits for it, and returns its exit code; -1 when it was killed.
func (r *running) end() int {
	r.until(func(engine.Event) bool { return false })
	_ = r.cmd.Wait()
	r.cancel()
	return r.cmd.ProcessState.ExitCode()
}

// until reads events up to the first that is meant; false: it ended before.
func (r *running) until(meant func(engine.Event) bool) bool {
	for ev := range r.events {
		r.seen = append(r.seen, ev)
		if meant(ev) {
			return true
		}
	}
	return false
}

// seeded is where a random test begins; QUORATE_SEED repeats it.
func seeded(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("QUORATE_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("QUORATE_SEED=%d", seed)
	return seed
}

// TestKilled creates a cluster with a quorate that is killed again and again,
// at moments spread over the whole work: after a number of its events, which
// is to say after so much progress, and a little later.
func TestKilled(t *testing.T) {
	inTime(t)
	random := rand.New(rand.NewPCG(seeded(t), 0))
	for round, done := 1, 0; done < kills; round++ {
		t.Run(fmt.Sprint("round ", round), func(t *testing.T) {
			c := newCluster(t, "killed", 3, 1)
			done += c.createKilling(t, random, kills-done)
			c.nodesReady(t, c.workers()[0], c.of("")...)
			c.nothingToDo(t)
			c.oneEtcd(t, c.controlPlanes()...)
			c.oneCA(t)
			c.nothingOfRunsLeft(t)
		})
		if t.Failed() {
			return
		}
	}
}

// createKilling applies until it is done, killing at most so many times.
func (c *cluster) createKilling(t *testing.T, random *rand.Rand, most int) (killed int) {
	for killed < most {
		r := c.begin(t)
		events, moment := 3+random.IntN(10), time.Duration(random.IntN(1000))*time.Millisecond
		seen, at := 0, "the very start"
		if !r.until(func(ev engine.Event) bool {
			if seen++; ev.Step != nil {
				at = ev.Kind + " " + ev.Step.Key()
			}
			return seen == events
		}) {
			if code := r.end(); code != 0 {
				t.Fatalf("apply after %d kills: exit %d\n%s", killed, code, r.err.String())
			}
			return killed
		}
		time.Sleep(moment)
		r.kill()
		if code := r.end(); code >= 0 {
			if code != 0 {
				t.Fatalf("apply after %d kills: exit %d\n%s", killed, code, r.err.String())
			}
			return killed
		}
		killed++
		t.Logf("kill %d: %d events and %s after the start, after %s", killed, events, moment, at)
	}
	c.apply(t).want(t, 0)
	return killed
}

// nothingOfRunsLeft: no command and no half-written file of a killed run (but
// in /run/quorate/stage, where files are only looked at).
func (c *cluster) nothingOfRunsLeft(t *testing.T) {
	for _, h := range c.of("") {
		out := c.on(t, h, `ls -d /run/systemd/transient/quorate-* /etc/kubernetes/pki.new /opt/quorate/*/*.new 2>/dev/null; true`)
		if out != "" {
			t.Errorf("%s: left of killed runs: %s", h, strings.ReplaceAll(out, "\n", " "))
		}
	}
}

// TestInterrupted creates a cluster with misfortune in two critical moments.
func TestInterrupted(t *testing.T) {
	c := newCluster(t, "cut", 3, 0)
	if !t.Run("mint once", func(t *testing.T) { mintOnce(t, c) }) {
		return
	}
	t.Run("cut", func(t *testing.T) { cut(t, c) })
}

const holdsCA = `sha256sum </etc/kubernetes/pki/ca.crt 2>/dev/null; true`

// mintOnce: quorate dies when the keys are on one host only, and so does that
// host. No second set of keys is made while it is away.
func mintOnce(t *testing.T, c *cluster) {
	r := c.begin(t)
	if !r.until(func(ev engine.Event) bool { return ev.Kind == engine.StepDone && ev.Step.Kind == "mint" }) {
		t.Fatalf("apply made no keys: exit %d\n%s", r.end(), r.err.String())
	}
	r.kill()
	r.end()
	var first, ca string
	for _, h := range c.controlPlanes() {
		if sum := c.on(t, h, holdsCA); sum != "" && first != "" {
			t.Skipf("the keys were on %s and on %s already when the kill came", first, h)
		} else if sum != "" {
			first, ca = h, sum
		}
	}
	if first == "" {
		t.Fatal("the keys were made, and no host has them")
	}
	c.power(t, first, false)
	c.apply(t).want(t, 3).says(t, first, "keys")
	for _, h := range without(c.controlPlanes(), first) {
		if sum := c.on(t, h, holdsCA); sum != "" {
			t.Fatalf("%s got a CA while %s, who holds one, was away", h, first)
		}
	}
	c.power(t, first, true)
	c.plan(t).want(t, 2)
	if sum := c.on(t, first, holdsCA); sum != ca {
		t.Fatalf("%s holds another CA than before", first)
	}
}

// cut: a control plane is lost to the network after it got its keys. The
// others become a cluster that serves; healed, it joins them.
func cut(t *testing.T, c *cluster) {
	lost := c.controlPlanes()[2]
	rest := without(c.controlPlanes(), lost)
	before := c.on(t, c.controlPlanes()[0], holdsCA)
	r := c.begin(t)
	if !r.until(func(ev engine.Event) bool {
		return ev.Kind == engine.StepDone && ev.Step.Kind == "keys" && string(ev.Step.Host) == lost
	}) {
		t.Fatalf("apply copied no keys to %s: exit %d\n%s", lost, r.end(), r.err.String())
	}
	if err := c.Cut(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r.until(func(ev engine.Event) bool {
		switch {
		case ev.Kind == engine.StepFail:
			t.Logf("%.1f s after the cut: failed %s: %s", time.Since(began).Seconds(), ev.Step.Key(), ev.Err)
		case ev.Kind == engine.StepDone && string(ev.Step.Host) != lost:
			t.Logf("%.1f s after the cut: done %s", time.Since(began).Seconds(), ev.Step.Key())
		}
		return false
	})
	code := r.end()
	t.Logf("%.1f s after the cut: exit %d", time.Since(began).Seconds(), code)
	if text := r.err.String(); code != 1 || !strings.Contains(text, lost) {
		t.Fatalf("apply with %s cut off: exit %d\n%s", lost, code, text)
	}
	// A step that was at work there may have failed the run; the next one goes on without it.
	c.apply(t).want(t, 1).says(t, "waits for hosts that do not answer", lost+" cannot be reached")
	c.nodesReady(t, rest[0], rest...)
	c.doorsSteady(t, rest...)
	if _, err := c.tryKubectl(t, rest[1], "create", "configmap", "while-cut"); err != nil {
		t.Errorf("two of three take no writes: %v", err)
	}
	if err := c.Heal(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	eventually(t, lost+" answers again", func() error {
		if r := c.plan(t); r.code != 2 || strings.Contains(r.out, "cannot be reached") {
			return fmt.Errorf("%s\n%s", r, r.out)
		}
		return nil
	})
	c.apply(t).want(t, 0)
	c.oneEtcd(t, c.controlPlanes()...)
	c.nodesReady(t, lost, c.of("")...)
	c.nothingToDo(t)
	c.oneCA(t)
	if after := c.on(t, lost, holdsCA); before == "" || after != before {
		t.Errorf("the CA changed: %s, was %s", after, before)
	}
}
