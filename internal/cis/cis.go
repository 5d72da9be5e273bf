// Package cis walks sections 1 to 4 of the CIS Kubernetes benchmark over the hosts
// of a cluster, numbered as kube-bench's cis-1.12 numbers it. What counts is seen
// on the hosts: processes' arguments, files' modes and owners, configurations.
//
// It changes nothing, prints nothing, and asks neither etcd nor an API server.
package cis

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
)

// Benchmark is whose numbers and titles the checks have
// (https://github.com/aquasecurity/kube-bench/tree/main/cfg/cis-1.12).
const Benchmark = "cis-1.12"

// Result is what a check found, on a host or on all.
type Result string

// The results, the gravest first.
const (
	Fail          Result = "fail"
	Review        Result = "review" // only a person can judge it
	Pass          Result = "pass"
	NotApplicable Result = "not applicable"
)

var gravest = []Result{Fail, Review, Pass, NotApplicable}

// Target is a host that is to be looked at, and what it is for.
type Target struct {
	ID    model.HostID
	Host  host.Host
	Roles model.Role
}

// Report is the walk over all hosts.
type Report struct {
	Benchmark string    `json:"benchmark"`
	Counts    Counts    `json:"counts"`
	Hosts     []Asked   `json:"hosts"`
	Checks    []Outcome `json:"checks"`
}

// Counts are checks by result.
type Counts struct {
	Pass          int `json:"pass"`
	Fail          int `json:"fail"`          // of automated checks
	ManualFail    int `json:"manualFail"`    // of manual ones
	Review        int `json:"review"`        // a person must judge
	NotApplicable int `json:"notApplicable"` // nothing there to judge
}

// Asked is whether a host could be looked at.
type Asked struct {
	Host    model.HostID `json:"host"`
	Reached bool         `json:"reached"`
	Why     string       `json:"why,omitempty"` // why not
}

// Outcome is one check on all hosts that it is about.
type Outcome struct {
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	Automated bool     `json:"automated"`
	Result    Result   `json:"result"` // the gravest of all hosts
	On        []OnHost `json:"on"`
	Fix       string   `json:"fix,omitempty"` // how a failure is repaired
}

// OnHost is what a check saw on one host.
type OnHost struct {
	Host   model.HostID `json:"host"`
	Result Result       `json:"result"`
	Seen   string       `json:"seen"`
}

// Passed says that every host was seen and no automated check failed.
func (r Report) Passed() bool {
	return r.Counts.Fail == 0 && !slices.ContainsFunc(r.Hosts, func(a Asked) bool { return !a.Reached })
}

// Walk looks at all hosts at once and judges what it saw. A host that could not
// be asked is part of the report, and of no check.
func Walk(ctx context.Context, at layout.Layout, targets []Target) Report {
	r := Report{Benchmark: Benchmark, Hosts: make([]Asked, len(targets))}
	looks := make([]*seen, len(targets))
	var group sync.WaitGroup
	for i, t := range targets {
		group.Go(func() {
			s, err := look(ctx, t.Host, at)
			r.Hosts[i] = Asked{Host: t.ID, Reached: err == nil}
			if err != nil {
				r.Hosts[i].Why = err.Error()
				return
			}
			looks[i] = s
		})
	}
	group.Wait()
	for _, c := range checks {
		o := Outcome{ID: c.id, Title: c.title, Automated: !c.manual, Result: NotApplicable, On: []OnHost{}}
		for i, t := range targets {
			if looks[i] == nil || !c.on(t.Roles) {
				continue
			}
			result, what := c.judge(looks[i])
			o.On = append(o.On, OnHost{t.ID, result, what})
			o.Result = slices.MinFunc([]Result{o.Result, result}, func(a, b Result) int {
				return cmp.Compare(slices.Index(gravest, a), slices.Index(gravest, b))
			})
		}
		if o.Result == Fail || o.Result == Review {
			o.Fix = c.fix
		}
		r.Counts.add(o)
		r.Checks = append(r.Checks, o)
	}
	return r
}

func (n *Counts) add(o Outcome) {
	switch {
	case o.Result == Pass:
		n.Pass++
	case o.Result == Fail && o.Automated:
		n.Fail++
	case o.Result == Fail:
		n.ManualFail++
	case o.Result == Review:
		n.Review++
	default:
		n.NotApplicable++
	}
}
