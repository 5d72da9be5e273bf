package knobs

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/lblint"
)

// Balancer is a configuration of nginx (upstreams of its stream block) or HAProxy
// (backend and listen sections) as it was found.
type Balancer struct {
	text  string
	kind  string
	pools []lblint.Pool
}

// ReadBalancer reads a configuration. Files that it includes are not followed.
func ReadBalancer(text string) (Balancer, error) {
	kind, pools, err := lblint.Pools([]byte(text))
	return Balancer{text, kind, pools}, err
}

// Text is the configuration.
func (b Balancer) Text() string { return b.text }

// Kind is nginx or haproxy.
func (b Balancer) Kind() string { return b.kind }

// Pools are its groups of servers.
func (b Balancer) Pools() []lblint.Pool { return b.pools }

func (b Balancer) pool(name string) (lblint.Pool, error) {
	found := slices.DeleteFunc(slices.Clone(b.pools), func(p lblint.Pool) bool { return p.Name != name })
	if len(found) != 1 {
		return lblint.Pool{}, fmt.Errorf("it has %d pools called %q; one is expected", len(found), name)
	}
	return found[0], nil
}

func (b Balancer) server(pool, address string) (lblint.PoolServer, error) {
	p, err := b.pool(pool)
	if err != nil {
		return lblint.PoolServer{}, err
	}
	var found []lblint.PoolServer
	for _, s := range p.Servers {
		if s.Address == address {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		return lblint.PoolServer{}, fmt.Errorf("its pool %q has %d servers at %s; one is expected", pool, len(found), address)
	}
	return found[0], nil
}

// Down marks a server, so that it gets no new connections. The identity when it
// is marked.
func (b Balancer) Down(pool, address string) (Balancer, error) {
	s, err := b.server(pool, address)
	if err != nil || s.Down {
		return b, err
	}
	at := s.Words[len(s.Words)-1].To
	return b.edited(edit{0, at, at, " " + lblint.Mark(b.kind)}, func(all []server) []server { return mark(all, pool, address, true) })
}

// Up takes the mark away.
func (b Balancer) Up(pool, address string) (Balancer, error) {
	s, err := b.server(pool, address)
	if err != nil || !s.Down {
		return b, err
	}
	i := slices.IndexFunc(s.Words[2:], func(w lblint.Word) bool { return w.Text == lblint.Mark(b.kind) }) + 2
	return b.edited(edit{0, s.Words[i-1].To, s.Words[i].To, ""}, func(all []server) []server { return mark(all, pool, address, false) })
}

// Remove takes a server out. The last one stays: neither program starts, or
// serves, with an empty pool.
func (b Balancer) Remove(pool, address string) (Balancer, error) {
	s, err := b.server(pool, address)
	if err != nil {
		return b, err
	}
	if p, _ := b.pool(pool); len(p.Servers) == 1 {
		return b, fmt.Errorf("%s is the last server of pool %q, which would be empty", address, pool)
	}
	return b.edited(removeLine(0, b.text, s.From, s.To), func(all []server) []server {
		return slices.DeleteFunc(all, func(s server) bool { return s.pool == pool && s.address == address })
	})
}

var (
	balancerWord = regexp.MustCompile(`^[A-Za-z0-9_.:\[\]-]+$`)
	// ownWords of a server are not handed on to another: marks, and HAProxy's
	// options whose value only one server may have.
	ownWords  = []string{"down", "disabled", "backup"}
	ownValues = []string{"id", "cookie", "weight"}
)

// Add puts a server behind the last of a pool, with the settings of one that is
// there. Name is HAProxy's name for it. The identity when it is there.
func (b Balancer) Add(pool, name, address string) (Balancer, error) {
	p, err := b.pool(pool)
	if err != nil {
		return b, err
	}
	if slices.ContainsFunc(p.Servers, func(s lblint.PoolServer) bool { return s.Address == address }) {
		return b, nil
	}
	switch {
	case len(p.Servers) == 0:
		return b, fmt.Errorf("pool %q has no server whose settings a new one could have", pool)
	case !balancerWord.MatchString(address) || b.kind == "haproxy" && !balancerWord.MatchString(name):
		return b, errors.New("a server needs an address and, in HAProxy, a name without blanks")
	case b.kind == "haproxy" && slices.ContainsFunc(p.Servers, func(s lblint.PoolServer) bool { return s.Name == name }):
		return b, fmt.Errorf("pool %q has a server called %q with another address", pool, name)
	}
	last := p.Servers[len(p.Servers)-1]
	words := []string{"server", address}
	if b.kind == "haproxy" {
		words = []string{"server", name, address}
	}
	for i := len(words); i < len(last.Words); i++ {
		w := last.Words[i]
		switch {
		case slices.Contains(ownWords, w.Text):
		case b.kind == "haproxy" && slices.Contains(ownValues, w.Text):
			i++
		default:
			words = append(words, b.text[w.From:w.To])
		}
	}
	line, end := strings.Join(words, " "), last.To
	if b.kind == "nginx" {
		line += ";"
	}
	between := " "
	if start := lineStart(b.text, last.From); strings.TrimSpace(b.text[start:last.From]) == "" {
		between = "\n" + b.text[start:last.From]
		if rest := strings.TrimSpace(b.text[end:lineEnd(b.text, end)]); rest == "" || rest[0] == '#' {
			end = lineEnd(b.text, end) // a comment belongs to the line that it ends
		}
	}
	return b.edited(edit{0, end, end, between + line}, func(all []server) []server {
		i := 0
		for j, s := range all {
			if s.pool == pool {
				i = j + 1
			}
		}
		return slices.Insert(all, i, server{pool, address, false})
	})
}

// server is what of one is compared after an edit.
type server struct {
	pool, address string
	down          bool
}

func (b Balancer) servers() (out []server) {
	for _, p := range b.pools {
		for _, s := range p.Servers {
			out = append(out, server{p.Name, s.Address, s.Down})
		}
	}
	return out
}

func mark(all []server, pool, address string, down bool) []server {
	for i := range all {
		if all[i].pool == pool && all[i].address == address {
			all[i].down = down
		}
	}
	return all
}

// edited makes an edit and reads the result back.
func (b Balancer) edited(e edit, want func([]server) []server) (Balancer, error) {
	files, err := apply([]File{{Text: b.text}}, []edit{e})
	if err != nil {
		return b, err
	}
	out, err := ReadBalancer(files[0].Text)
	if err != nil {
		return b, err
	}
	if !slices.Equal(out.servers(), want(b.servers())) {
		return b, errors.New("its servers cannot be changed without something else changing too. Change them by hand")
	}
	return out, nil
}
