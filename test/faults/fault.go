package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// fault is a way to break a host, and to bring it back.
type fault struct {
	name       string
	begin, end func(ctx context.Context, c *cluster, host string) error
}

// dropping drops packets of some ports in both directions, loopback excepted.
func dropping(ports string) (begin, end func(context.Context, *cluster, string) error) {
	match := "tcp dport { " + ports + " } drop; tcp sport { " + ports + " } drop;"
	begin = func(ctx context.Context, c *cluster, host string) error {
		_, err := c.exec(ctx, host, strings.NewReader("table inet faults { chain in { type filter hook input priority -300; iif lo accept; "+
			match+
			" }; chain out { type filter hook output priority -300; oif lo accept; "+match+" }; }\n"), "nft", "-f", "-")
		return err
	}
	end = func(ctx context.Context, c *cluster, host string) error {
		_, err := c.exec(ctx, host, nil, "nft", "delete", "table", "inet", "faults")
		return err
	}
	return begin, end
}

func lab(verb string, more ...string) func(context.Context, *cluster, string) error {
	return func(ctx context.Context, c *cluster, host string) error {
		_, err := c.command(ctx, nil, append([]string{c.quorate, "lab", verb, labName + "/" + host}, more...)...)
		return err
	}
}

func send(name, unit string) func(context.Context, *cluster, string) error {
	return func(ctx context.Context, c *cluster, host string) error {
		_, err := c.exec(ctx, host, nil, "systemctl", "kill", "-s", name, unit)
		return err
	}
}

func known() []fault {
	etcdDrop, etcdBack := dropping("2379, 2380")
	apiDrop, apiBack := dropping("6443")
	return []fault{
		{"all packets dropped", lab("cut"), lab("heal")},
		{"powered off", lab("power-off", "--hard"), lab("power-on")},
		{"API server hung", send("STOP", "kube-apiserver.service"), send("CONT", "kube-apiserver.service")},
		{"etcd hung", send("STOP", "etcd.service"), send("CONT", "etcd.service")},
		{"etcd's ports dropped", etcdDrop, etcdBack},
		{"6443 dropped", apiDrop, apiBack},
	}
}

func faultNames() (out []string) {
	for _, f := range known() {
		out = append(out, f.name)
	}
	return out
}

func find(name string) (fault, bool) {
	for _, f := range known() {
		if f.name == name {
			return f, true
		}
	}
	return fault{}, false
}

// table is the medians of all trials, as Markdown.
func table(results []result) string {
	type key struct{ kind, fault, victim, way, client string }
	type values struct{ failed, slow, longest, gap []float64 }
	all := map[key]*values{}
	notReady := map[string]bool{}
	for _, r := range results {
		for _, n := range r.NotReady {
			notReady[fmt.Sprintf("%s, %s of the %s: node %s was not Ready", r.Kind, r.Fault, r.Victim, n)] = true
		}
		for _, w := range r.Rows {
			k := key{r.Kind, r.Fault, r.Victim, w.Way, w.Client}
			if all[k] == nil {
				all[k] = &values{}
			}
			v := all[k]
			v.failed, v.slow = append(v.failed, float64(w.Failed)), append(v.slow, float64(w.Slow))
			v.longest, v.gap = append(v.longest, w.Longest), append(v.gap, w.Gap)
		}
	}
	keys := slices.SortedFunc(maps.Keys(all), func(a, b key) int {
		return strings.Compare(strings.Join([]string{a.fault, a.victim, a.way, a.client, a.kind}, "|"),
			strings.Join([]string{b.fault, b.victim, b.way, b.client, b.kind}, "|"))
	})
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| fault\t| host\t| way\t| client\t| balancer\t| failed\t| failed or > 1 s\t| longest, s\t| gap, s\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|---\t|")
	for _, k := range keys {
		v := all[k]
		fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s\t| %s\t| %.0f\t| %.0f\t| %.2f\t| %.2f\t|\n", k.fault, k.victim, k.way, k.client, k.kind,
			median(v.failed), median(v.slow), median(v.longest), median(v.gap))
	}
	w.Flush()
	for _, n := range slices.Sorted(maps.Keys(notReady)) {
		b.WriteString("\n" + n)
	}
	return b.String() + "\n"
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
