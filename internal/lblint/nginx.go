package lblint

import (
	"fmt"
	"strings"
	"time"
)

// nginx judges the stream servers that lead to API servers, by the directives of
// https://nginx.org/en/docs/stream/ngx_stream_proxy_module.html.
func nginx(text []byte, known Known) (out findings, leads bool, err error) {
	top, err := newReader(text).statements(0)
	if err != nil {
		return nil, false, err
	}
	for _, stream := range streams(top) {
		for _, s := range all(stream, "server") {
			pass, proxies := last(s.block, "proxy_pass")
			if !proxies {
				continue
			}
			pool, place := nginxPool(stream, pass)
			if !known.leadsToAPI(pool) {
				continue
			}
			leads = true
			out = append(out, known.compare(pool, place.line)...)
			out = append(out, nginxServer(stream, s, place)...)
		}
	}
	for _, http := range all(top, "http") {
		for _, up := range all(http.block, "upstream") {
			if known.leadsToAPI(nginxServers(up.block)) {
				leads = true
				out.add(up.line, "API servers behind an HTTP proxy: it ends TLS, so that client certificates do not reach them",
					"proxy them in a stream block, which leaves TLS alone")
			}
		}
	}
	if leads {
		out = append(out, nginxReload(top)...)
	} else {
		out.add(0, "nothing in it leads to an API server on port "+known.port(), missingIncludes(top))
	}
	return out, leads, nil
}

// streams are the contents of all stream blocks. A file that is included in one
// has its upstreams and servers at the top.
func streams(top []statement) (out [][]statement) {
	for _, s := range all(top, "stream") {
		out = append(out, s.block)
	}
	if len(out) == 0 && len(all(top, "http")) == 0 {
		out = append(out, top)
	}
	return out
}

// missingIncludes is what to do about a file without API servers.
func missingIncludes(top []statement) string {
	var files []string
	var walk func([]statement)
	walk = func(list []statement) {
		for _, s := range list {
			if s.name() == "include" {
				files = append(files, s.arg(1))
			}
			walk(s.block)
		}
	}
	walk(top)
	if len(files) == 0 {
		return "give the file that does"
	}
	return "includes are not followed: give these files too: " + strings.Join(files, ", ")
}

// nginxPool are the servers that a proxy_pass leads to, and where that stands.
func nginxPool(stream []statement, pass statement) ([]server, statement) {
	for _, up := range all(stream, "upstream") {
		if up.arg(1) == pass.arg(1) {
			return nginxServers(up.block), up
		}
	}
	return []server{serverAt(pass.arg(1), pass.line)}, pass
}

func nginxServers(block []statement) (out []server) {
	for _, s := range all(block, "server") {
		one := serverAt(s.arg(1), s.line)
		for _, w := range s.words[1:] {
			one.down = one.down || w == "down"
		}
		out = append(out, one)
	}
	return out
}

func nginxServer(stream []statement, s, pool statement) (out findings) {
	// value is a setting of the server, else of the stream block, else the default.
	value := func(name string, otherwise time.Duration) (time.Duration, int) {
		for _, list := range [][]statement{s.block, stream} {
			if st, there := last(list, name); there {
				if d, ok := duration(st.arg(1), time.Second); ok {
					return d, st.line
				}
			}
		}
		return otherwise, s.line
	}
	limit, line := value("proxy_timeout", 10*time.Minute)
	out = append(out, idle("proxy_timeout", limit, line)...)
	if d, line := value("proxy_connect_timeout", time.Minute); d > noticeMost {
		out.add(line,
			fmt.Sprintf("proxy_connect_timeout: a new connection waits %v for a server that is silent before it tries another", d),
			"proxy_connect_timeout 1s;")
	}
	if p, there := last(s.block, "proxy_protocol"); there && p.arg(1) == "on" {
		out.add(p.line, "proxy_protocol: API servers do not understand it and close the connection", "proxy_protocol off;")
	}
	if next, there := last(s.block, "proxy_next_upstream"); there && next.arg(1) == "off" {
		out.add(next.line, "proxy_next_upstream off: a connection to a dead server fails, and is not tried elsewhere",
			"remove it: on is the default")
	}
	if _, plus := last(s.block, "health_check"); !plus {
		out.add(pool.line, "nothing checks the servers: one that hangs or is not ready gets requests on, and keeps its connections",
			"nginx has no active checks without its commercial part: use HAProxy with TLS checks of /readyz, or quorate-lb")
	}
	for _, sv := range all(pool.block, "server") {
		for _, w := range sv.words[1:] {
			if w == "max_fails=0" {
				out.add(sv.line, "max_fails=0: a server that refuses connections stays in rotation", "max_fails=1 fail_timeout=2s")
			}
			if w == "down" {
				out.note(sv.line, sv.arg(1)+" is marked down", "take it out, or let it in again")
			}
		}
	}
	return out
}

// nginxReload judges what a reload does to connections that stand.
func nginxReload(top []statement) (out findings) {
	w, there := last(top, "worker_shutdown_timeout")
	if !there {
		return nil
	}
	d, ok := duration(w.arg(1), time.Second)
	if !ok || d >= idleLeast {
		return nil
	}
	out.note(w.line, fmt.Sprintf("worker_shutdown_timeout: each reload cuts all watches after %v", d), "leave it out, or give it an hour")
	return out
}
