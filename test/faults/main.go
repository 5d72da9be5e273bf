// Command faults measures what users of a cluster feel in faults: `make
// bench-faults`. On a lab of three control planes and a worker it breaks one
// control plane at a time, in several ways, while clients ask through every way
// in at once. Each trial is written to a file when it has ended, and not done
// again by a later call with the same programs; tables and a plot are made of
// the file. It needs root and the artefact store.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

type bench struct {
	quorate, dir string
	kind         kind
	wait         float64 // seconds that clients ask; 0: as the kind wants
	runs         int
	kinds        []kind
	faults       []fault
	victims      []string
	results      *results
}

func (b *bench) seconds() float64 {
	if b.wait > 0 {
		return b.wait
	}
	return b.kind.seconds
}

func main() {
	b, only, err := flags()
	if err == nil && !only {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = b.run(ctx)
	}
	if b.results != nil {
		err = errors.Join(err, b.results.report(os.Stdout))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

// flags reads the command line. only says that nothing is to be measured.
func flags() (b bench, only bool, err error) {
	var faults, victims, kinds, out, plot string
	flag.StringVar(&b.quorate, "quorate", "bin/quorate", "the program under test; quorate-lb is beside it")
	flag.IntVar(&b.runs, "runs", 1, "trials of each fault; the tables have medians")
	flag.StringVar(&faults, "faults", strings.Join(faultNames(), ","), "which faults")
	flag.StringVar(&victims, "victims", "follower,leader", "whose host breaks")
	flag.StringVar(&kinds, "kinds", strings.Join(kindNames(), ","), "which load balancers")
	flag.Float64Var(&b.wait, "seconds", 0, fmt.Sprintf("how long clients ask; the fault comes after %v (0: 30 s, with nginx 60 s)", before))
	flag.StringVar(&out, "results", "bin/faults.jsonl",
		"a `file` for all results, one a line; what it has of these programs is not measured again")
	flag.StringVar(&plot, "plot", "", "an SVG `file` for the longest gaps")
	flag.BoolVar(&only, "report", false, "measure nothing, print the tables of the results")
	flag.Parse()
	for _, name := range strings.Split(kinds, ",") {
		k, err := findKind(name)
		if err != nil {
			return b, only, err
		}
		b.kinds = append(b.kinds, k)
	}
	for _, name := range strings.Split(faults, ",") {
		f, err := find(name)
		if err != nil {
			return b, only, err
		}
		b.faults = append(b.faults, f)
	}
	for _, v := range strings.Split(victims, ",") {
		if v != "leader" && v != "follower" {
			return b, only, fmt.Errorf("there is no victim %q; known are follower, leader", v)
		}
		b.victims = append(b.victims, v)
	}
	b.results, err = openResults(out, plot, b.quorate)
	return b, only, err
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

func (b *bench) run(ctx context.Context) (err error) {
	if b.dir, err = os.MkdirTemp("", "quorate-faults-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	client := filepath.Join(b.dir, "client")
	if _, err := b.command(ctx, nil, "go", "build", "-o", client, "./test/faults/client"); err != nil {
		return err
	}
	for _, b.kind = range b.kinds {
		if kerr := b.trials(ctx, client); kerr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", b.kind.name, kerr))
		}
	}
	return err
}

// trials does those of one kind that the file does not have. A trial that could
// not be done, or whose cluster did not come back, ends the kind: what follows
// would begin with a broken cluster. The next call goes on from there.
func (b *bench) trials(ctx context.Context, client string) error {
	var c *cluster
	for run := range b.runs {
		for _, f := range b.faults {
			for _, victim := range b.victims {
				if b.results.has(b.kind.name, f.title, victim, run) {
					continue
				}
				if c == nil {
					made, err := b.cluster(ctx, client)
					if err != nil {
						return err
					}
					c = made
					defer c.down(context.WithoutCancel(ctx))
				}
				r, err := c.trial(ctx, f, victim)
				if err == nil {
					r.Run = run
					err = b.results.add(r)
				}
				if err == nil {
					err = c.converge(ctx)
				}
				if err != nil {
					return fmt.Errorf("%s of the %s, trial %d: %w", f.title, victim, run+1, err)
				}
			}
		}
	}
	return nil
}
