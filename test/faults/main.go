// Command faults measures what users of a cluster feel in faults: `make
// bench-faults`. On a lab of three control planes and a worker it breaks one
// control plane at a time, in several ways, while clients ask through every way
// in at once, and prints medians as a table and as JSON. It needs root and the
// artefact store.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

type bench struct {
	quorate, dir, kind string
	seconds            float64
	results            []result
}

// result is one trial.
type result struct {
	Kind, Fault, Victim string
	Rows                []row
	NotReady            []string // nodes other than the victim's that were not Ready at any time
}

// row is a client's, as it reports it.
type row struct {
	Way, Client            string
	Requests, Failed, Slow int
	Longest, Gap, GapAt    float64
	First                  string
}

func main() {
	var b bench
	var runs int
	var faults, victims, kinds, out string
	flag.StringVar(&b.quorate, "quorate", "bin/quorate", "the program under test")
	flag.IntVar(&runs, "runs", 3, "trials of each fault; the table has medians")
	flag.StringVar(&faults, "faults", strings.Join(faultNames(), ","), "which faults")
	flag.StringVar(&victims, "victims", "leader,follower", "whose host breaks")
	flag.StringVar(&kinds, "kinds", "nginx,builtin", "which load balancers")
	flag.Float64Var(&b.seconds, "seconds", 60, "how long clients ask; the fault comes after 8 s")
	flag.StringVar(&out, "json", "", "a file for all results")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := b.run(ctx, runs, strings.Split(kinds, ","), strings.Split(faults, ","), strings.Split(victims, ","))
	if len(b.results) > 0 {
		fmt.Print(table(b.results))
		if out != "" {
			if text, jerr := json.MarshalIndent(b.results, "", " "); jerr == nil {
				_ = os.WriteFile(out, text, 0o644)
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (b *bench) run(ctx context.Context, runs int, kinds, faults, victims []string) (err error) {
	if b.dir, err = os.MkdirTemp("", "quorate-faults-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	client := filepath.Join(b.dir, "client")
	if _, err := b.command(ctx, nil, "go", "build", "-o", client, "./test/faults/client"); err != nil {
		return err
	}
	for _, b.kind = range kinds {
		if err := b.trials(ctx, client, runs, faults, victims); err != nil {
			return fmt.Errorf("%s: %w", b.kind, err)
		}
	}
	return nil
}

func (b *bench) trials(ctx context.Context, client string, runs int, faults, victims []string) error {
	c, err := b.cluster(ctx, client)
	if err != nil {
		return err
	}
	defer c.down(context.WithoutCancel(ctx))
	for _, name := range faults {
		f, ok := find(name)
		if !ok {
			return fmt.Errorf("there is no fault %q; known are %s", name, strings.Join(faultNames(), ", "))
		}
		for _, victim := range victims {
			for i := range runs {
				r, err := c.trial(ctx, f, victim)
				if err != nil {
					return fmt.Errorf("%s of the %s, trial %d: %w", name, victim, i+1, err)
				}
				b.results = append(b.results, r)
			}
		}
	}
	return nil
}
