// Package lblint reads configurations of nginx, HAProxy and keepalived that
// others wrote, and names what in them will hurt the clients of API servers.
// It works on texts alone: it asks no host and changes nothing.
package lblint

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"
)

// Finding is one thing in a configuration, with its place and what to do.
type Finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"` // from 1; 0: the file as a whole
	Problem string `json:"problem"`
	Fix     string `json:"fix"`
	// Note: it may well be meant so, and does not count as a failure.
	Note bool `json:"note,omitempty"`
}

// File is what was read of one configuration.
type File struct {
	Name     string    `json:"file"`
	Kind     string    `json:"kind"` // nginx, haproxy or keepalived
	Leads    bool      `json:"leadsToApi"`
	Findings []Finding `json:"findings"`
}

// findings are those of one file. The file's name is added later.
type findings []Finding

func (f *findings) add(line int, problem, fix string) {
	*f = append(*f, Finding{Line: line, Problem: problem, Fix: fix})
}

func (f *findings) note(line int, problem, fix string) {
	*f = append(*f, Finding{Line: line, Problem: problem, Fix: fix, Note: true})
}

// Report is what was found in several configurations.
type Report struct {
	Files []File `json:"files"`
}

// Passed says that nothing but notes was found.
func (r Report) Passed() bool {
	return !slices.ContainsFunc(r.Files, func(f File) bool {
		return slices.ContainsFunc(f.Findings, func(one Finding) bool { return !one.Note })
	})
}

// Text is the report for people.
func (r Report) Text() string {
	var b strings.Builder
	for _, f := range r.Files {
		if len(f.Findings) == 0 {
			fmt.Fprintf(&b, "%s (%s): nothing found\n", f.Name, f.Kind)
		}
		for _, one := range f.Findings {
			place, note := f.Name, ""
			if one.Line > 0 {
				place += fmt.Sprintf(":%d", one.Line)
			}
			if one.Note {
				note = "note: "
			}
			fmt.Fprintf(&b, "%s: %s%s\n    %s\n", place, note, one.Problem, one.Fix)
		}
	}
	return b.String()
}

// Known are the API servers of the cluster behind a load balancer, when they are
// known.
type Known struct {
	Addresses map[string]string // IP address of each control plane by its name; nil: not known
	Port      string            // of all API servers, such as 6443
}

// idleLeast is what a connection must be allowed to idle for. The watches of
// client-go last 5 to 10 minutes (minWatchTimeout in its reflector.go), and may
// bring nothing in all of it.
const idleLeast = 10 * time.Minute

// noticeMost is how long it may take to notice that a server is gone.
const noticeMost = 5 * time.Second

// Lint reads a configuration, whose kind it tells by its content. An error says
// that it is none of the three, or cannot be read, with the place.
func Lint(name string, text []byte, known Known) (File, error) {
	f := File{Name: name, Findings: []Finding{}}
	var out findings
	var err error
	switch f.Kind = kindOf(text); f.Kind {
	case "nginx":
		out, f.Leads, err = nginx(text, known)
	case "haproxy":
		out, f.Leads = haproxy(text, known)
	case "keepalived":
		out, err = keepalived(text)
	default:
		err = errors.New("it is no configuration of nginx, HAProxy or keepalived: none of their sections is in it")
	}
	if err != nil {
		return f, fmt.Errorf("%s: %w", name, err)
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	for _, one := range out {
		one.File = name
		f.Findings = append(f.Findings, one)
	}
	return f, nil
}

// kindOf tells a configuration by the first words of its lines.
func kindOf(text []byte) string {
	for line := range strings.Lines(string(text)) {
		words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n{;", r) })
		if len(words) == 0 || strings.ContainsAny(words[0][:1], "#!") {
			continue
		}
		switch words[0] {
		case "events", "stream", "http", "upstream", "worker_processes", "load_module":
			return "nginx"
		case "frontend", "backend", "listen", "defaults", "global":
			return "haproxy"
		case "vrrp_instance", "vrrp_script", "global_defs", "virtual_server":
			return "keepalived"
		}
	}
	return ""
}

// server is one backend server of a pool.
type server struct {
	address, port string
	line          int
	down          bool
}

func serverAt(at string, line int) server {
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		host, port = at, ""
	}
	return server{address: host, port: port, line: line}
}

// port is that of API servers.
func (k Known) port() string { return cmp.Or(k.Port, "6443") }

// address is the IP address of a backend server; "" when its name says nothing.
func (k Known) address(of string) string {
	if at, named := k.Addresses[of]; named {
		return at
	}
	if net.ParseIP(of) == nil {
		return ""
	}
	return of
}

func (k Known) has(address string) bool {
	return slices.Contains(slices.Collect(maps.Values(k.Addresses)), address)
}

// leadsToAPI says whether a pool has anything to do with API servers.
func (k Known) leadsToAPI(pool []server) bool {
	return slices.ContainsFunc(pool, func(s server) bool { return s.port == k.port() || s.port == "" && k.has(k.address(s.address)) })
}

// compare names servers that are no API servers, and API servers that are not in
// the pool.
func (k Known) compare(pool []server, line int) (out findings) {
	if k.Addresses == nil {
		return nil
	}
	seen, all := map[string]bool{}, true
	for _, s := range pool {
		at := k.address(s.address)
		seen[at] = true
		switch {
		case at == "":
			all = false
			out.note(s.line, "whether "+s.address+" is a control plane is not known: it is no name of the cluster file",
				"lead to the IP address: a name is looked up at the start only, and needs DNS then")
		case !k.has(at):
			out.add(s.line, s.address+" is no control plane of this cluster",
				"remove it: requests that it gets fail, or reach another cluster")
		case s.port != "" && s.port != k.port():
			out.add(s.line, fmt.Sprintf("the API server of %s listens on port %s, not %s", s.address, k.port(), s.port),
				"lead to port "+k.port())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.Addresses)) {
		if a := k.Addresses[name]; all && !seen[a] {
			out.add(line, "the API server of "+name+" is missing",
				"add "+net.JoinHostPort(a, k.port())+": without it the loss of the others costs more than it must")
		}
	}
	return out
}

// idle judges a limit of an idle connection; 0 is none.
func idle(what string, limit time.Duration, line int) (out findings) {
	if limit == 0 || limit >= idleLeast {
		return nil
	}
	out.add(line, fmt.Sprintf("%s: connections that are idle for %v are cut; a watch without events is idle for longer", what, limit),
		"at least 10m; an hour does no harm")
	return out
}
