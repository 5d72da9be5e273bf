package lblint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// section is one of HAProxy's, with the defaults that hold in it.
type section struct {
	statement
	defaults []statement
}

// sectionNames begin a section (HAProxy's configuration manual, 2.1 and 3).
var sectionNames = []string{"global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "userlist", "cache", "program",
	"mailers", "http-errors", "ring", "log-forward", "log-profile", "crt-store", "traces", "fcgi-app", "acme"}

// sections reads a configuration, which is one of lines. Defaults hold for what
// comes after them, or for those who name them.
func sections(text []byte) (out []section) {
	r := newReader(text)
	r.byLine, r.flat = true, true
	list, _ := r.statements(0) // without braces nothing can be wrong
	for _, s := range list {
		switch {
		case slices.Contains(sectionNames, s.name()):
			out = append(out, section{statement: s})
		case len(out) > 0:
			out[len(out)-1].block = append(out[len(out)-1].block, s)
		}
	}
	var defaults []statement
	named := map[string][]statement{}
	for i, s := range out {
		if s.name() == "defaults" {
			defaults = s.block
			named[s.arg(1)] = s.block
		}
		out[i].defaults = defaults
		if n := len(s.words); n > 2 && s.words[n-2] == "from" {
			out[i].defaults = named[s.words[n-1]]
		}
	}
	return out
}

// set is the statement that begins with these words and counts in a section.
func (s section) set(words ...string) (statement, bool) {
	for _, list := range [][]statement{s.block, s.defaults} {
		for _, st := range slices.Backward(list) {
			if len(st.words) >= len(words) && slices.Equal(st.words[:len(words)], words) {
				return st, true
			}
			if len(st.words) > len(words) && st.words[0] == "no" && slices.Equal(st.words[1:len(words)+1], words) {
				return statement{}, false
			}
		}
	}
	return statement{}, false
}

// timeout is a time-out of a section in force; 0: none is set.
func (s section) timeout(name string) (time.Duration, int) {
	st, there := s.set("timeout", name)
	if !there {
		return 0, s.line
	}
	d, _ := duration(st.arg(2), time.Millisecond)
	return d, st.line
}

// haproxy judges the backends that lead to API servers, by
// https://docs.haproxy.org/3.0/configuration.html.
func haproxy(text []byte, known Known) (out findings, leads bool) {
	list := sections(text)
	for _, s := range list {
		if s.name() != "backend" && s.name() != "listen" {
			continue
		}
		servers := all(s.block, "server")
		var pool []server
		for _, sv := range servers {
			pool = append(pool, serverAt(sv.arg(2), sv.line))
		}
		if !known.leadsToAPI(pool) {
			continue
		}
		leads = true
		out = append(out, known.compare(pool, s.line)...)
		out = append(out, haproxyMode(s)...)
		out = append(out, haproxyIdle(s, frontends(list, s))...)
		if !lastResort(list, s) {
			out = append(out, haproxyChecks(s, servers)...)
		}
	}
	if !leads {
		out.add(0, "nothing in it leads to an API server on port "+known.port(), "give the file that does")
	}
	return out, leads
}

// frontends are who sends clients to a backend: a listen section does so itself.
func frontends(list []section, backend section) (out []section) {
	if backend.name() == "listen" {
		return []section{backend}
	}
	for _, s := range list {
		if s.name() != "frontend" && s.name() != "listen" {
			continue
		}
		for _, st := range append(slices.Clone(s.defaults), s.block...) {
			if (st.name() == "default_backend" || st.name() == "use_backend") && st.arg(1) == backend.arg(1) {
				out = append(out, s)
				break
			}
		}
	}
	return out
}

// lastResort says that a backend is used only while another one has no server, or
// too few: then its servers need no checks.
func lastResort(list []section, backend section) bool {
	used := false
	for _, f := range frontends(list, backend) {
		for _, st := range append(slices.Clone(f.defaults), f.block...) {
			switch {
			case st.arg(1) != backend.arg(1):
			case st.name() == "use_backend" && strings.Contains(strings.Join(st.words[2:], " "), "nbsrv("):
				used = true
			case st.name() == "use_backend" || st.name() == "default_backend":
				return false
			}
		}
	}
	return used
}

func haproxyMode(s section) (out findings) {
	mode, there := s.set("mode")
	if !there || mode.arg(1) == "tcp" {
		return nil
	}
	out.add(mode.line, "mode "+mode.arg(1)+" for API servers: HAProxy ends TLS or reads it as HTTP, so that client certificates do not arrive",
		"mode tcp in this section")
	return out
}

// haproxyIdle judges how long a connection may be idle. Once both sides have
// spoken, timeout tunnel takes the place of those of client and server.
func haproxyIdle(back section, fronts []section) (out findings) {
	if d, line := back.timeout("tunnel"); d > 0 {
		return idle("timeout tunnel", d, line)
	}
	d, line := back.timeout("server")
	out = append(out, idle("timeout server", d, line)...)
	for _, f := range fronts {
		if d, line := f.timeout("tunnel"); d > 0 {
			out = append(out, idle("timeout tunnel", d, line)...)
			continue
		}
		d, line := f.timeout("client")
		out = append(out, idle("timeout client", d, line)...)
	}
	return slices.CompactFunc(out, func(a, b Finding) bool { return a.Line == b.Line })
}

// haproxyChecks judges how a backend tells that a server is gone, and what it
// does then.
func haproxyChecks(s section, servers []statement) (out findings) {
	if d, line := s.timeout("connect"); d == 0 || d > noticeMost {
		out.add(line, "timeout connect: a new connection waits "+orForever(d)+" for a server that is silent", "timeout connect 2s")
	}
	http, asks := s.set("option", "httpchk")
	byTLS := false
	for _, sv := range servers {
		words := append(defaultServer(s), sv.words[min(3, len(sv.words)):]...)
		if !has(words, "check") {
			out.add(sv.line, sv.arg(1)+" is not checked: it stays in rotation when it is gone", "add: check check-ssl verify none")
			continue
		}
		byTLS = byTLS || has(words, "check-ssl") || has(words, "ssl")
		inter, fall := setting(words, "inter", 2*time.Second), count(words, "fall", 3)
		if t := inter * time.Duration(fall); t > noticeMost {
			out.add(sv.line,
				fmt.Sprintf("%s: a server that is gone gets requests for up to %v (inter %v, fall %d)", sv.arg(1), t, inter, fall),
				"inter 1s fall 2")
		}
		if at := slices.Index(words, "on-marked-down"); at < 0 || at+1 >= len(words) || words[at+1] != "shutdown-sessions" {
			out.add(sv.line, sv.arg(1)+": standing connections stay with a server that is marked down, for minutes",
				"add: on-marked-down shutdown-sessions")
		}
		if has(words, "send-proxy") || has(words, "send-proxy-v2") {
			out.add(sv.line, sv.arg(1)+": API servers do not understand the PROXY protocol and close the connection",
				"remove send-proxy")
		}
	}
	switch path := httpPath(s, http); {
	case len(servers) == 0:
	case !asks:
		out.add(s.line, "checks only open a connection: a server that hangs or is not ready counts as up",
			"option httpchk GET /readyz, and check-ssl verify none on each server")
	case !byTLS:
		out.add(http.line, "the checks are plain HTTP, which an API server answers with 400: all servers count as down",
			"add check-ssl verify none to each server")
	case !strings.HasPrefix(path, "/readyz"):
		out.add(http.line, fmt.Sprintf("the checks ask for %q: a server that is stopping or has no etcd may pass", path),
			"option httpchk GET /readyz")
	}
	return out
}

func orForever(d time.Duration) string {
	if d == 0 {
		return "for ever"
	}
	return d.String()
}

// defaultServer are the words that hold for all servers of a section.
func defaultServer(s section) (words []string) {
	for _, list := range [][]statement{s.defaults, s.block} {
		for _, st := range all(list, "default-server") {
			words = append(words, st.words[1:]...)
		}
	}
	return words
}

// httpPath is what an HTTP check asks for: by option httpchk, or by http-check send.
func httpPath(s section, check statement) string {
	if send, there := s.set("http-check", "send"); there {
		if at := slices.Index(send.words, "uri"); at > 0 && at+1 < len(send.words) {
			return send.words[at+1]
		}
	}
	switch len(check.words) {
	case 0, 1, 2:
		return "/"
	case 3:
		return check.words[2]
	}
	return check.words[3]
}

// has says whether a switch is on: the last word counts, and "no-" turns it off.
func has(words []string, name string) bool {
	for _, w := range slices.Backward(words) {
		if w == name {
			return true
		}
		if w == "no-"+name {
			return false
		}
	}
	return false
}

// after is the word after the last of a name.
func after(words []string, name string) (string, bool) {
	for i := len(words) - 2; i >= 0; i-- {
		if words[i] == name {
			return words[i+1], true
		}
	}
	return "", false
}

func setting(words []string, name string, otherwise time.Duration) time.Duration {
	if w, there := after(words, name); there {
		if d, ok := duration(w, time.Millisecond); ok {
			return d
		}
	}
	return otherwise
}

func count(words []string, name string, otherwise int) int {
	if w, there := after(words, name); there {
		if n, err := strconv.Atoi(w); err == nil {
			return n
		}
	}
	return otherwise
}
