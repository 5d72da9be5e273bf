package cis

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"quorate.dev/quorate/internal/model"
)

// Text is the report for people: a line for each check, what was seen where it is
// not well with how to repair it, and the sum.
func (r Report) Text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tRESULT\tCHECK")
	for _, c := range r.Checks {
		kind := ""
		if !c.Automated {
			kind = " (manual)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s%s\n", c.ID, c.Result, c.Title, kind)
	}
	w.Flush()
	for _, want := range []Result{Fail, Review} {
		for _, c := range r.Checks {
			if c.Result == want {
				c.explain(&b)
			}
		}
	}
	b.WriteString("\n")
	for _, a := range r.Hosts {
		if !a.Reached {
			fmt.Fprintf(&b, "%s was not checked: %s\n", a.Host, strings.TrimPrefix(a.Why, string(a.Host)+": "))
		}
	}
	n := r.Counts
	fmt.Fprintf(&b, "%s: %d pass; fail: %d automated, %d manual; %d to review by a person; %d not applicable\n", r.Benchmark, n.Pass, n.Fail,
		n.ManualFail, n.Review, n.NotApplicable)
	return b.String()
}

// explain writes what was seen, hosts that have the same on one line.
func (c Outcome) explain(b *strings.Builder) {
	fmt.Fprintf(b, "\n%s %s: %s\n", c.ID, c.Result, c.Title)
	on := map[string][]model.HostID{}
	var order []string
	for _, h := range c.On {
		if h.Result != c.Result {
			continue
		}
		if !slices.Contains(order, h.Seen) {
			order = append(order, h.Seen)
		}
		on[h.Seen] = append(on[h.Seen], h.Host)
	}
	for _, what := range order {
		var names []string
		for _, id := range on[what] {
			names = append(names, string(id))
		}
		fmt.Fprintf(b, "  %s: %s\n", strings.Join(names, " "), what)
	}
	fmt.Fprintf(b, "  fix: %s\n", c.Fix)
}
