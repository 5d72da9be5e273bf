package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	labName  = "bench"
	readyRow = "apply 3+2: all /readyz, through each front door too"
)

// cluster makes a lab and a cluster on it, from nothing each time.
func cluster(ctx context.Context, b *bench) error {
	for i := range b.runs {
		b.say("cluster, run %d of %d", i+1, b.runs)
		if err := b.clusterOnce(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) lab(ctx context.Context, controlPlanes, workers int) (took time.Duration, down func(), err error) {
	down = func() {
		// Not ctx: what was made goes away also when the run was stopped.
		if _, err := run(context.WithoutCancel(ctx), nil, b.quorate, "lab", "down", labName); err != nil {
			b.say("%v", err)
		}
	}
	r, err := run(ctx, nil, b.quorate, "lab", "up", labName, "--control-planes", strconv.Itoa(controlPlanes),
		"--workers", strconv.Itoa(workers), "--dir", b.dir)
	if err != nil {
		return 0, func() {}, err
	}
	return r.took, down, nil
}

// address of a lab host.
func (b *bench) addresses(ctx context.Context, prefix string) (out []string, err error) {
	r, err := run(ctx, nil, b.quorate, "lab", "list")
	for line := range strings.Lines(r.out) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], labName+"/"+prefix) {
			out = append(out, f[1])
		}
	}
	if err == nil && len(out) == 0 {
		err = errors.New("the lab has no such hosts")
	}
	return out, err
}

func (b *bench) clusterOnce(ctx context.Context) error {
	took, down, err := b.lab(ctx, 3, 2)
	if err != nil {
		return err
	}
	defer down()
	b.add("lab up, 5 hosts", "s", 10, took.Seconds())
	controlPlanes, err := b.addresses(ctx, "cp")
	if err != nil {
		return err
	}

	begun := time.Now()
	var apply ran
	var served time.Duration
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		apply, err = run(gctx, nil, b.quorate, "apply", "-f", b.file(), "--yes", "--output", "json")
		return err
	})
	g.Go(func() error {
		wait, cancel := context.WithTimeout(gctx, 5*time.Minute)
		defer cancel()
		var all sync.WaitGroup
		errs := make([]error, 2*len(controlPlanes))
		for i, a := range controlPlanes {
			for j, port := range []string{":6443", ":8443"} {
				all.Go(func() { errs[2*i+j] = ready(wait, a+port) })
			}
		}
		all.Wait()
		served = time.Since(begun)
		return errors.Join(errs...)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	b.add(readyRow, "s", 0, served.Seconds())
	nodes, err := settled(apply.out, begun, 5)
	if err != nil {
		return err
	}
	b.add("apply 3+2: all nodes Ready and CoreDNS answers", "s", 60, nodes.Seconds())
	b.add("apply 3+2: the whole command", "s", 0, apply.took.Seconds())
	b.add("apply 3+2: memory at most", "MiB", 100, float64(apply.rss)/mib)

	for _, again := range []struct{ row, verb, more string }{
		{"apply with nothing to do, 5 hosts", "apply", "--yes"}, {"plan, 5 hosts", "plan", "--output=text"},
	} {
		r, err := run(ctx, nil, b.quorate, again.verb, "-f", b.file(), again.more)
		if err != nil {
			return fmt.Errorf("there was something left to do: %w", err)
		}
		b.add(again.row, "s", 2, r.took.Seconds())
	}
	return nil
}

func (b *bench) file() string { return filepath.Join(b.dir, labName+".yaml") }

// settled is when the last node was Ready and CoreDNS available, by the events
// of an apply.
func settled(events string, begun time.Time, hosts int) (time.Duration, error) {
	var last time.Time
	seen := map[string]int{}
	for line := range strings.Lines(events) {
		var e struct {
			At   time.Time
			Kind string
			Step struct{ Kind string }
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return 0, fmt.Errorf("read an event of apply: %w: %s", err, line)
		}
		if e.Kind == "done" && (e.Step.Kind == "settle" || e.Step.Kind == "addon-coredns") {
			seen[e.Step.Kind]++
			last = e.At
		}
	}
	if seen["settle"] < hosts || seen["addon-coredns"] < 1 {
		return 0, fmt.Errorf("the events tell of %v, not of %d nodes and CoreDNS", seen, hosts)
	}
	return last.Sub(begun), nil
}

// upload measures how fast a program reaches a host.
func upload(ctx context.Context, b *bench) error {
	b.say("upload")
	_, down, err := b.lab(ctx, 1, 0)
	if err != nil {
		return err
	}
	defer down()
	hosts, err := b.addresses(ctx, "cp1")
	if err != nil {
		return err
	}
	at := filepath.Join(b.dir, labName)
	env := []string{"QUORATE_TEST_HOST=root@" + hosts[0] + ":22", "QUORATE_TEST_KEY=" + at + ".key", "QUORATE_TEST_KNOWN=" + at +
		".known_hosts"}
	return goBench(ctx, env, []string{"-tags", "lab", "-bench", "^BenchmarkLabUpload$", "-count", strconv.Itoa(b.runs), "./internal/host"},
		func(_ string, _, mbs float64) { b.add("upload to a host", "MB/s", 0, mbs) })
}
