package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/prober"
)

// changes are what is done to a living cluster, one after the other: what the
// file names in the end, and what a careful operator may expect of it.
var changes = []changeOf{
	{"grow 1 to 3", []string{"cp1", "cp2", "cp3", "w1"}, "", 40},
	{"replace a living one of 3", []string{"cp1", "cp3", "cp4", "w1"}, "", 0},
	{"replace a dead one of 3", []string{"cp1", "cp2", "cp4", "w1"}, "cp3", 40},
	{"shrink 3 to 1", []string{"cp1", "w1"}, "", 25},
}

type changeOf struct {
	row   string
	hosts []string
	dead  string  // loses its power before, and never comes back
	limit float64 // seconds
}

// change makes each change while the cluster is asked 10 times a second
// through the front door of its worker.
func change(ctx context.Context, b *bench) error {
	for i := range b.runs {
		b.say("change, run %d of %d", i+1, b.runs)
		if err := b.changeOnce(ctx, "", changes); err != nil {
			return err
		}
	}
	return nil
}

// changeOnce makes changes on a new lab. Before its rows stands the flavour, if it
// is not the default one.
func (b *bench) changeOnce(ctx context.Context, flavour string, changes []changeOf) error {
	_, down, err := b.lab(ctx, 4, 1)
	if err != nil {
		return err
	}
	defer down()
	if err := b.flavour(flavour); err != nil {
		return err
	}
	whole, err := os.ReadFile(b.file())
	if err != nil {
		return err
	}
	prefix := ""
	if flavour != "" {
		prefix = flavour + ": "
	}
	if err := b.name(whole, []string{"cp1", "w1"}); err != nil {
		return err
	}
	if _, err := run(ctx, nil, b.quorate, "apply", "-f", b.file(), "--yes"); err != nil {
		return err
	}
	for _, c := range changes {
		if c.dead != "" {
			if _, err := run(ctx, nil, b.quorate, "lab", "power-off", "--hard", "--lab", labName, c.dead); err != nil {
				return err
			}
		}
		if err := b.name(whole, c.hosts); err != nil {
			return err
		}
		r, err := run(ctx, nil, b.quorate, "apply", "-f", b.file(), "--yes", "--probe", "--output", "json")
		if err != nil && (c.dead == "" || r.code != 1) { // 1: cleaning the dead one waits for it
			return err
		}
		if err := b.noticed(prefix, prefix+c.row, r.out); err != nil {
			return err
		}
		b.add(prefix+c.row, "s", c.limit, r.took.Seconds())
		if c.dead == "" {
			continue
		}
		if _, err := run(ctx, nil, b.quorate, "lab", "power-on", "--lab", labName, c.dead); err != nil {
			return err
		}
		if _, err := run(ctx, nil, b.quorate, "apply", "-f", b.file(), "--yes"); err != nil {
			return err
		}
	}
	return nil
}

// noticed adds what the cluster's users would have noticed of a change.
func (b *bench) noticed(prefix, change, events string) error {
	var last struct {
		Kind   string
		Report prober.Report
	}
	for line := range strings.Lines(events) {
		if last.Kind == "probe" {
			break // an error may follow
		}
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			return fmt.Errorf("read the probe's report: %w: %s", err, line)
		}
	}
	for _, e := range last.Report.Errors {
		b.say("%s: %s", change, e)
	}
	b.never("  … "+prefix+"changes: failed requests", "", 0, float64(last.Report.Failures))
	b.never("  … "+prefix+"changes: longest gap", "s", 1, last.Report.LongestGap.Duration().Seconds())
	b.never("  … "+prefix+"changes: acknowledged writes lost", "", 0, float64(len(last.Report.Lost)))
	return nil
}

var hostLine = regexp.MustCompile(`\bname: (\w+), address:`)

// name writes the cluster file with some of the lab's hosts only.
func (b *bench) name(whole []byte, hosts []string) error {
	var out []string
	for line := range strings.Lines(string(whole)) {
		if m := hostLine.FindStringSubmatch(line); m == nil || slices.Contains(hosts, m[1]) {
			out = append(out, line)
		}
	}
	return os.WriteFile(b.file(), []byte(strings.Join(out, "")), 0o644)
}

// flavour writes another flavour into the lab's file; "" leaves it.
func (b *bench) flavour(name string) error {
	text, err := os.ReadFile(b.file())
	if err != nil || name == "" {
		return err
	}
	return os.WriteFile(b.file(), bytes.Replace(text, []byte("flavour: systemd"), []byte("flavour: "+name), 1), 0o644)
}
