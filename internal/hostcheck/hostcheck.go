// Package hostcheck says what of a machine stands in the way of a cluster, before
// anything is changed there: too little of something, what other hosts have too,
// ports that a filter keeps shut. All findings come at once, each with what to do.
//
// It changes nothing, but for a test file that it writes and deletes when it is
// asked to measure a disk. What it cannot see it does not judge. What a plan needs
// each time (clocks, addresses, swap, foreign components) is package observe's.
package hostcheck

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
)

// Target is a host that is to be checked.
type Target struct {
	ID      model.HostID
	Host    host.Host
	Address string // by which the others call it
	Roles   model.Role
	New     bool   // nothing of the cluster is on it yet
	Away    string // why it is not asked; "": it is
}

// Level is how grave a finding is.
type Level string

// The levels, the gravest first. As in kubeadm's preflight, what keeps a cluster
// from working blocks, and what may harm it later is a warning.
const (
	Blocks Level = "blocks"
	Warns  Level = "warns"
)

// Finding is what is wrong with a host.
type Finding struct {
	Host  model.HostID `json:"host"`
	Check string       `json:"check"` // a name for --ignore-host-checks
	Level Level        `json:"level"`
	Seen  string       `json:"seen"`
	Fix   string       `json:"fix"`
}

// Report is what was seen of all hosts, and what is wrong.
type Report struct {
	Hosts    []Host    `json:"hosts"`
	Findings []Finding `json:"findings"`
}

// Options are how thorough a look is, and where things lie.
type Options struct {
	Layout layout.Layout
	// Measure writes a file to see how fast etcd's disk is.
	Measure bool
	// Resolv is the resolv.conf that a host's pods get; nil: the system's own.
	Resolv func(model.HostID) string
}

// Look asks all targets side by side, then each whether it reaches the others.
// Findings are about new targets, or about all when none is new.
func Look(ctx context.Context, targets []Target, o Options) Report {
	r := Report{Hosts: make([]Host, len(targets)), Findings: []Finding{}}
	each(targets, func(i int, t Target) { r.Hosts[i] = look(ctx, t, o) })
	var there []Target
	for i, t := range targets {
		if r.Hosts[i].Reached {
			there = append(there, t)
		}
	}
	anyNew := slices.ContainsFunc(targets, func(t Target) bool { return t.New })
	silent, untried := make([][]string, len(targets)), make([]error, len(targets))
	each(targets, func(i int, t Target) {
		if r.Hosts[i].Reached {
			silent[i], untried[i] = reach(ctx, t, peers(t, there, anyNew, o))
		}
	})
	for i, t := range targets {
		if untried[i] != nil {
			r.Findings = append(r.Findings, Finding{Host: t.ID, Check: "ports", Level: Warns,
				Seen: fmt.Sprintf("which ports of other hosts it reaches was not tried: %s", host.Reason(untried[i], string(t.ID))),
				Fix:  "see that bash is there, and run quorate doctor hosts again"})
		}
		if len(silent[i]) > 0 { // on the way between an old host and a new one, whoever sees it
			r.Findings = append(r.Findings, shut(t, silent[i], there))
		}
		if r.Hosts[i].Reached && (t.New || !anyNew) {
			r.Findings = append(r.Findings, judge(t, r.Hosts[i], o.Layout)...)
			r.Findings = append(r.Findings, twins(targets, r.Hosts, i)...)
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Host, b.Host)) // "blocks" comes before "warns"
	})
	return r
}

// each runs do for all targets side by side.
func each(targets []Target, do func(int, Target)) {
	var group sync.WaitGroup
	for i, t := range targets {
		group.Go(func() { do(i, t) })
	}
	group.Wait()
}

// Blocking are the findings that forbid a change, without those of ignored
// checks; "all" ignores all.
func (r Report) Blocking(ignored []string) []Finding {
	return r.only(func(f Finding) bool {
		return f.Level == Blocks && !slices.Contains(ignored, f.Check) && !slices.Contains(ignored, "all")
	})
}

// Warnings are all others.
func (r Report) Warnings(ignored []string) []Finding {
	blocking := r.Blocking(ignored)
	return r.only(func(f Finding) bool { return !slices.Contains(blocking, f) })
}

func (r Report) only(keep func(Finding) bool) (out []Finding) {
	for _, f := range r.Findings {
		if keep(f) {
			out = append(out, f)
		}
	}
	return out
}

// Well says that every host answered and nothing was found.
func (r Report) Well() bool {
	return len(r.Findings) == 0 && !slices.ContainsFunc(r.Hosts, func(h Host) bool { return !h.Reached })
}
