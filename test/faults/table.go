package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// The ways in, as clients name them.
const (
	ownDoor    = "control plane's door"
	workerDoor = "worker's door"
	itself     = "API server itself"
	pods       = "pod (kubernetes.default)"
)

// trialKey tells kinds of trials apart.
type trialKey struct{ fault, victim, kind string }

// order sorts by fault and victim as they are listed, so that kinds stand beside
// each other.
func order(results []result) []trialKey {
	seen := map[trialKey]bool{}
	for _, r := range results {
		seen[trialKey{r.Fault, r.Victim, r.Kind}] = true
	}
	rank := map[string]int{}
	for i, f := range known() {
		rank[f.title] = i
	}
	for i, name := range kindNames() {
		rank[name] = i
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b trialKey) int {
		return cmp.Or(cmp.Compare(rank[a.fault], rank[b.fault]), cmp.Compare(a.victim, b.victim), cmp.Compare(rank[a.kind], rank[b.kind]))
	})
}

// of is the median over the trials of one key of what f makes of the rows of
// some ways and one client.
func of(results []result, k trialKey, client string, ways []string, f func([]row) float64) float64 {
	var all []float64
	for _, r := range results {
		if r.Fault != k.fault || r.Victim != k.victim || r.Kind != k.kind {
			continue
		}
		var rows []row
		for _, w := range r.Rows {
			if w.Client == client && slices.Contains(ways, w.Way) {
				rows = append(rows, w)
			}
		}
		all = append(all, f(rows))
	}
	return median(all)
}

func failed(rows []row) (n float64) {
	for _, r := range rows {
		n += float64(r.Failed)
	}
	return n
}

func slow(rows []row) (n float64) {
	for _, r := range rows {
		n += float64(r.Slow)
	}
	return n
}

func gap(rows []row) (longest float64) {
	for _, r := range rows {
		longest = max(longest, r.Gap)
	}
	return longest
}

func longestAnswer(rows []row) (longest float64) {
	for _, r := range rows {
		longest = max(longest, r.Longest)
	}
	return longest
}

// summary is a line a fault, victim and kind: sums, and for gaps the longest, of
// the front doors of a surviving control plane and of the worker.
func summary(results []result) string {
	doors := []string{ownDoor, workerDoor}
	var b strings.Builder
	b.WriteString("| fault | host | balancer | new: failed / over 1 s | reads: failed | gap, s | writes: failed | gap, s | watch: gap, s " +
		"| direct: reads' gap, s | pods: new failed |\n|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, k := range order(results) {
		at := func(client string, f func([]row) float64, ways ...string) float64 {
			return of(results, k, client, ways, f)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %.0f / %.0f | %.0f | %.1f | %.0f | %.1f | %.1f | %.1f | %.0f |\n", k.fault, k.victim, k.kind,
			at("new", failed, doors...), at("new", slow, doors...)-at("new", failed, doors...),
			at("standing reads", failed, doors...), at("standing reads", gap, doors...),
			at("standing writes", failed, doors...), at("standing writes", gap, doors...),
			at("watch", gap, doors...), at("standing reads", gap, itself), at("new", failed, pods))
	}
	var notReady []string
	for _, r := range results {
		for _, n := range r.NotReady {
			notReady = append(notReady, fmt.Sprintf("%s, %s of the %s: node %s was not Ready\n", r.Kind, r.Fault, r.Victim, n))
		}
	}
	slices.Sort(notReady)
	return b.String() + strings.Join(slices.Compact(notReady), "")
}

// table is every way and client by itself.
func table(results []result) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| fault\t| host\t| balancer\t| way\t| client\t| failed\t| failed or > 1 s\t| longest, s\t| gap, s\t| first failure\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, k := range order(results) {
		for _, way := range []string{ownDoor, workerDoor, itself, pods} {
			for _, client := range []string{"new", "standing reads", "standing writes", "watch"} {
				at := func(f func([]row) float64) float64 { return of(results, k, client, []string{way}, f) }
				longest := at(longestAnswer)
				fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s\t| %s\t| %.0f\t| %.0f\t| %.2f\t| %.2f\t| %s\t|\n", k.fault, k.victim, k.kind, way, client,
					at(failed), at(slow), longest, at(gap), first(results, k, way, client))
			}
		}
	}
	w.Flush()
	return b.String()
}

// first is a failure, for people.
func first(results []result, k trialKey, way, client string) string {
	for _, r := range results {
		if r.Fault != k.fault || r.Victim != k.victim || r.Kind != k.kind {
			continue
		}
		for _, w := range r.Rows {
			if w.Way == way && w.Client == client && w.First != "" {
				return strings.NewReplacer("|", "/", "\n", " ").Replace(w.First)
			}
		}
	}
	return ""
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if len(v) == 0 {
		return 0
	}
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// plot draws the longest gaps of connections that read, on a square-root scale.
func plot(results []result) string {
	const left, width, line = 330, 440, 20
	colours := map[string]string{"builtin": "#2a7", "nginx": "#999"}
	keys := order(results)
	bottom := 30 + line*len(keys)
	at := func(seconds float64) float64 { return width * math.Sqrt(seconds/60) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">
<rect width="%d" height="%d" fill="#fff"/>
<text x="10" y="18" font-size="13">Longest gap of an open connection that reads through a front door, seconds (square-root scale)</text>
`, left+width+50, bottom+24, left+width+50, bottom+24)
	for _, s := range []float64{1, 5, 10, 20, 30, 45, 60} {
		colour := "#ddd"
		if s == 1 {
			colour = "#c33" // the goal
		}
		fmt.Fprintf(&b, `<line x1="%.0f" x2="%.0f" y1="30" y2="%d" stroke="%s"/><text x="%.0f" y="%d" text-anchor="middle" fill="#555">%.0f</text>`+"\n",
			left+at(s), left+at(s), bottom, colour, left+at(s), bottom+16, s)
	}
	for i, k := range keys {
		longest, y := of(results, k, "standing reads", []string{ownDoor, workerDoor}, gap), 36+line*i
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s, %s, %s</text><rect x="%d" y="%d" width="%.0f" height="14" fill="%s"/>`+
			`<text x="%.0f" y="%d">%.1f</text>`+"\n", left-8, y+11, k.fault, k.victim, k.kind, left, y, at(longest),
			cmp.Or(colours[k.kind], "#57a"), left+at(longest)+4, y+11, longest)
	}
	return b.String() + "</svg>\n"
}
