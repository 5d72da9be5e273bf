package lblint

import (
	"errors"
	"slices"
)

// Pool is a group of backend servers: an upstream of nginx's stream block, or a
// backend or listen section of HAProxy.
type Pool struct {
	Name    string
	Line    int
	Servers []PoolServer
}

// PoolServer is one of them, and where it stands in the text, in bytes.
type PoolServer struct {
	Name    string // HAProxy's name for it
	Address string // with its port
	Down    bool   // marked down, or disabled
	Line    int
	// From and To enclose its statement, with the semicolon that ends it.
	From, To int
	// Words are those of the statement, each with its place.
	Words []Word
}

// Word is one of a statement, and where it stands, with its quotes.
type Word struct {
	Text     string
	From, To int
}

// Mark is the word that takes a server out of its pool in a kind of configuration.
func Mark(kind string) string {
	if kind == "nginx" {
		return "down"
	}
	return "disabled"
}

// Pools reads a configuration of nginx or HAProxy, whose kind it tells by its
// content.
func Pools(text []byte) (kind string, pools []Pool, err error) {
	switch kind = kindOf(text); kind {
	case "nginx":
		top, err := newReader(text).statements(0)
		if err != nil {
			return kind, nil, err
		}
		for _, stream := range streams(top) {
			for _, up := range all(stream, "upstream") {
				pools = append(pools, poolOf(kind, up.arg(1), up, 1))
			}
		}
	case "haproxy":
		for _, s := range sections(text) {
			if s.name() == "backend" || s.name() == "listen" {
				pools = append(pools, poolOf(kind, s.arg(1), s.statement, 2))
			}
		}
	default:
		return "", nil, errors.New("it is no configuration of nginx or HAProxy: none of their sections is in it")
	}
	return kind, pools, nil
}

// poolOf makes a pool of a block, whose servers have their address in this word.
func poolOf(kind, name string, in statement, address int) Pool {
	p := Pool{Name: name, Line: in.line}
	for _, s := range all(in.block, "server") {
		if len(s.words) <= address {
			continue
		}
		one := PoolServer{Address: s.arg(address), Line: s.line, From: s.from, To: s.to}
		if kind == "haproxy" {
			one.Name = s.arg(1)
		}
		for i, w := range s.words {
			one.Words = append(one.Words, Word{w, s.at[i].from, s.at[i].to})
		}
		one.Down = slices.Contains(s.words[address+1:], Mark(kind))
		p.Servers = append(p.Servers, one)
	}
	return p
}
