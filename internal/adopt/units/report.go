package units

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Finding is something that stands in the way of a change, or endangers the
// cluster as it is.
type Finding struct {
	Where string `json:"where"` // hosts, or a file
	What  string `json:"what"`
	So    string `json:"so"` // what it means
}

// Report is what is said of a cluster.
type Report struct {
	Cluster
	Findings []Finding `json:"findings"`
	// Supported is false: no command of quorate changes such a cluster.
	Supported bool     `json:"supported"`
	Works     []string `json:"works"`
	WorksNot  []string `json:"worksNot"`
}

var (
	works = []string{
		"quorate adopt: this report, as often as you like; it changes nothing",
		"quorate doctor lb FILE...: what in the load balancers' configuration hurts clients",
	}
	worksNot = []string{
		"plan, apply, status, etcd, kubeconfig, token, recover, forget, reset and every other command that needs a cluster file: " +
			"quorate cannot care for control planes of other people's systemd units yet, so no file is written",
	}
)

// Report judges what was seen.
func (c Cluster) Report() Report {
	return Report{Cluster: c, Findings: c.findings(), Works: works, WorksNot: worksNot}
}

// Text is the report for people.
func (r Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "A control plane of systemd units that people have set up by hand.\n\nServices\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, h := range r.Hosts {
		if h.Problem != "" {
			fmt.Fprintf(w, "  %s\t%s\tnot seen: %s\n", h.Name, h.Address, h.Problem)
			continue
		}
		for _, s := range h.Services {
			fmt.Fprintf(w, "  %s\t%s\t%s\tunit %s, %s, %s\t%s\t%s\n", h.Name, h.Address, s.Component, s.Unit, s.Active, s.Enabled, s.Program,
				strings.Join(s.Files, " "))
		}
	}
	w.Flush()
	r.flags(&b)
	r.certificates(&b)
	r.balancers(&b)
	r.kubeconfigs(&b)
	b.WriteString("\nNodes\n")
	switch {
	case r.NodesErr != "":
		fmt.Fprintf(&b, "  not known: %s\n", r.NodesErr)
	case len(r.Nodes) == 0:
		b.WriteString("  none has registered\n")
	}
	for _, address := range slices.Sorted(maps.Keys(r.Nodes)) {
		fmt.Fprintf(&b, "  %s  %s\n", r.Nodes[address], address)
	}
	if len(r.Findings) > 0 {
		b.WriteString("\nWhat stands out\n")
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "  %s: %s\n      %s\n", f.Where, f.What, f.So)
	}
	fmt.Fprintf(&b, "\nWhat works on such a cluster\n  %s\nWhat does not\n  %s\n",
		strings.Join(r.Works, "\n  "), strings.Join(r.WorksNot, "\n  "))
	return b.String()
}

// flags are those of each component: once what all hosts have in common, then
// what differs.
func (r Report) flags(b *strings.Builder) {
	for _, component := range r.components() {
		values := map[string]map[string][]string{} // hosts by value, by flag
		var names, on []string
		for _, h := range r.Hosts {
			s, is := h.Service(component)
			if !is {
				continue
			}
			on = append(on, h.Name)
			for _, f := range s.Flags {
				if values[f.Name] == nil {
					values[f.Name] = map[string][]string{}
					names = append(names, f.Name)
				}
				v := strings.Join(f.Values, " ")
				values[f.Name][v] = append(values[f.Name][v], h.Name)
			}
		}
		if len(names) == 0 {
			continue
		}
		fmt.Fprintf(b, "\nFlags of %s (%s)\n", component, strings.Join(on, ", "))
		for _, name := range names {
			for _, v := range slices.Sorted(maps.Keys(values[name])) {
				who := ""
				if hosts := values[name][v]; len(hosts) < len(on) {
					who = strings.Join(hosts, ", ") + ": "
				}
				form := "  %s--%s=%s\n"
				if len(name) == 1 { // nginx's
					form = "  %s-%s %s\n"
				}
				fmt.Fprintf(b, form, who, name, v)
			}
		}
	}
}

func (r Report) components() (out []string) {
	for _, h := range r.Hosts {
		for _, s := range h.Services {
			if !slices.Contains(out, s.Component) {
				out = append(out, s.Component)
			}
		}
	}
	slices.Sort(out)
	return out
}

// shared groups what several hosts have alike.
func shared[T any](hosts []Host, of func(Host) []T, line func(T) string) (lines []string, by map[string][]string) {
	by = map[string][]string{}
	for _, h := range hosts {
		for _, one := range of(h) {
			l := line(one)
			if by[l] == nil {
				lines = append(lines, l)
			}
			by[l] = append(by[l], h.Name)
		}
	}
	return lines, by
}

func (r Report) certificates(b *strings.Builder) {
	lines, by := shared(r.Hosts, func(h Host) []Certificate { return h.Certs }, func(c Certificate) string {
		if c.Problem != "" {
			return fmt.Sprintf("%s: %s", c.Path, c.Problem)
		}
		kind := ""
		if c.CA {
			kind = ", a certificate authority"
		}
		return fmt.Sprintf("%s: %s%s\n      by %s, %s, until %s\n      for %s", c.Path, c.Subject, kind, c.Issuer, c.Key,
			c.Until.Format(time.DateOnly),
			cmp.Or(strings.Join(c.Names, " "), "no name"))
	})
	section(b, "Certificates", lines, by)
	lines, by = shared(r.Hosts, func(h Host) []Key { return h.Keys }, func(k Key) string {
		return fmt.Sprintf("%s: mode %s, owner %s", k.Path, k.Mode, k.Owner)
	})
	section(b, "Private keys (what is in them is never shown)", lines, by)
}

func (r Report) balancers(b *strings.Builder) {
	lines, by := shared(r.Hosts, func(h Host) []Balancer { return h.Balancers }, func(l Balancer) string {
		out := fmt.Sprintf("%s: %s, unit %s", l.Path, l.Kind, l.Unit)
		if l.Problem != "" {
			return fmt.Sprintf("%s: unit %s: %s", l.Path, l.Unit, l.Problem)
		}
		for _, p := range l.Pools {
			out += fmt.Sprintf("\n      %s leads to %s", p.Name, strings.Join(p.Servers, ", "))
			if len(p.Down) > 0 {
				out += "; marked down: " + strings.Join(p.Down, ", ")
			}
		}
		for _, n := range l.Notes {
			out += "\n      " + n
		}
		return out
	})
	section(b, "Load balancers", lines, by)
}

func (r Report) kubeconfigs(b *strings.Builder) {
	lines, by := shared(r.Hosts, func(h Host) []Kubeconfig { return h.Confs }, func(k Kubeconfig) string {
		return k.Path + ": " + cmp.Or(k.Problem, k.Server)
	})
	section(b, "Kubeconfigs", lines, by)
}

func section(b *strings.Builder, title string, lines []string, by map[string][]string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for _, l := range lines {
		fmt.Fprintf(b, "  %s (%s)\n", l, strings.Join(by[l], ", "))
	}
}
