// Command bench times what quorate has targets for, each several times in one
// run, and prints the medians in one table: `make bench`. It needs root and
// the artefact store. Ratios are between figures of the same run, on the same
// machine; absolute ones mean little elsewhere.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
)

// parts are what can be measured, in order.
var parts = []struct {
	name string
	run  func(context.Context, *bench) error
}{
	{"program", program}, {"planner", planner}, {"floor", floor}, {"cluster", cluster}, {"change", change},
	{"kubeadm", kubeadm}, {"upload", upload},
}

// bench collects the figures.
type bench struct {
	quorate string // the program under test
	runs    int
	dir     string // scratch
	rows    []*row
}

// row is a line of the table.
type row struct {
	name, unit string
	values     []float64
	target     float64 // at most; 0: none
	always     bool    // the target is for each run, and may be 0
}

// add notes one measurement.
func (b *bench) add(name, unit string, target, value float64) {
	b.note(row{name: name, unit: unit, target: target}, value)
}

// never notes one measurement of what must never be more than the target.
func (b *bench) never(name, unit string, target, value float64) {
	b.note(row{name: name, unit: unit, target: target, always: true}, value)
}

func (b *bench) note(r row, value float64) {
	i := slices.IndexFunc(b.rows, func(o *row) bool { return o.name == r.name })
	if i < 0 {
		i, b.rows = len(b.rows), append(b.rows, &r)
	}
	b.rows[i].values = append(b.rows[i].values, value)
}

// median of a row, if it was measured.
func (b *bench) median(name string) (float64, bool) {
	for _, r := range b.rows {
		if r.name == name {
			return r.median(), true
		}
	}
	return 0, false
}

func (r *row) median() float64 {
	v := slices.Sorted(slices.Values(r.values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func (r *row) verdict() string {
	value := r.median()
	if r.always {
		value = slices.Max(r.values)
	}
	switch {
	case r.target == 0 && !r.always:
		return ""
	case value <= r.target:
		return "ok"
	}
	return "MISSED"
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

// print writes the table; it says whether all targets are met.
func (b *bench) print() bool {
	if floor, ok := b.median(floorRow); ok {
		if apply, ok := b.median(readyRow); ok {
			b.add("  … of the bare floor", "×", 2.5, apply/floor)
		}
	}
	if script, ok := b.median(scriptRow); ok {
		if apply, ok := b.median(kubeadmRow); ok {
			b.add("  … of the script", "×", 0.6, apply/script)
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT\tMEDIAN\tMIN\tMAX\tRUNS\tTARGET\t")
	met := true
	for _, r := range b.rows {
		target, verdict := "", r.verdict()
		if r.target != 0 || r.always {
			target = "≤ " + figure(r.target, r.unit)
		}
		met = met && verdict != "MISSED"
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", r.name, figure(r.median(), r.unit),
			figure(slices.Min(r.values), r.unit), figure(slices.Max(r.values), r.unit), len(r.values), target, verdict)
	}
	w.Flush()
	return met
}

func figure(v float64, unit string) string {
	switch {
	case unit == "": // counted
		return fmt.Sprint(v)
	case v < 10:
		return fmt.Sprintf("%.2f %s", v, unit)
	case v < 100:
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}

func main() {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	b := &bench{}
	flag.StringVar(&b.quorate, "quorate", "bin/quorate", "the program under test")
	flag.IntVar(&b.runs, "runs", 5, "how often each thing is measured")
	only := flag.String("only", strings.Join(names, ","), "which parts")
	flag.Parse()
	if err := b.main(strings.Split(*only, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if !b.print() {
		os.Exit(1)
	}
}

func (b *bench) main(only []string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if b.quorate, err = filepath.Abs(b.quorate); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "quorate-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	for _, p := range parts {
		if slices.Contains(only, p.name) {
			if err := p.run(ctx, b); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return ctx.Err()
}
