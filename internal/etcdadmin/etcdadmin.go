// Package etcdadmin looks after the data of a running etcd: snapshots with the keys
// that they need, defragmentation member by member, alarms. It works from one
// observation, and asks etcd again where an old answer would not do.
//
// It brings nothing back (a cluster without quorum, or from a snapshot, is
// another package's business), changes no members, takes no lock and prints
// nothing.
package etcdadmin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/pki"
)

// Guard works on the etcd of one cluster.
type Guard struct {
	Hosts map[model.HostID]host.Host
	Seen  *observe.Observation
	// Say tells people what was done. Step, when set, is told what begins on
	// which host; it calls do, and may give its error a frame.
	Say  func(format string, args ...any)
	Step func(id model.HostID, kind, title string, do func() error) error

	clients map[model.HostID]*etcd.Client
}

// Refused is what is not done, and what to do about it. Nothing was changed.
type Refused struct{ Why, Next string }

func (r Refused) Error() string { return r.Why }

// Close ends the connections to etcd, not those to the hosts.
func (g *Guard) Close() {
	for _, c := range g.clients {
		_ = c.Close()
	}
}

// noKeys is why the cluster's keys cannot be used.
func (g *Guard) noKeys() error {
	switch {
	case g.Seen.Have.Conflict != "":
		return errors.New(g.Seen.Have.Conflict)
	case g.Seen.Shared == nil:
		return errors.New("no reachable control plane holds the cluster's keys")
	}
	return nil
}

// client is a client of the member on a host.
func (g *Guard) client(ctx context.Context, id model.HostID) (*etcd.Client, error) {
	if c, ok := g.clients[id]; ok {
		return c, nil
	}
	h, ok := g.Hosts[id]
	if !ok {
		return nil, fmt.Errorf("%s is not connected", id)
	}
	if err := g.noKeys(); err != nil {
		return nil, err
	}
	tls, err := pki.EtcdTLS(*g.Seen.Shared, time.Now())
	if err != nil {
		return nil, err
	}
	c, err := etcd.Connect(ctx, h, tls, "127.0.0.1:"+g.Seen.Goal.Layout.Etcd.ClientPort)
	if err != nil {
		return nil, err
	}
	if g.clients == nil {
		g.clients = map[model.HostID]*etcd.Client{}
	}
	g.clients[id] = c
	return c, nil
}

func (g *Guard) step(id model.HostID, kind, title string, do func() error) error {
	if g.Step == nil {
		return do()
	}
	return g.Step(id, kind, title, do)
}

// healthy says that a host's member serves.
func (g *Guard) healthy(id model.HostID) bool {
	h := g.Seen.Have.Hosts[id]
	return h.Up() && h.Etcd.Healthy.Is(true)
}

// voters are the hosts whose members vote, and those of them that are down.
func (g *Guard) voters() (all, down []model.HostID) {
	for id, m := range g.Seen.Etcd.Members {
		if m.Learner {
			continue
		}
		all = append(all, id)
		if !g.healthy(id) {
			down = append(down, id)
		}
	}
	slices.Sort(all)
	slices.Sort(down)
	return all, down
}

// certain refuses to touch anything while it is not certain which cluster this
// is, or what its members are.
func (g *Guard) certain() error {
	switch {
	case g.Seen.Have.Conflict != "":
		return Refused{g.Seen.Have.Conflict, ""}
	case g.Seen.Have.CAsCreated.Is(false):
		return Refused{"there is no cluster on these hosts yet", "quorate apply"}
	case g.Seen.Etcd.Err != nil:
		return fmt.Errorf("etcd's members are unknown: %w; quorate etcd status says more%s", g.Seen.Etcd.Err, g.unasked())
	}
	return nil
}

// unasked are the reasons why hosts could not be reached, a line each.
func (g *Guard) unasked() string {
	s := ""
	for _, id := range g.Seen.IDs() {
		if f := g.Seen.Facts[id]; f.Err != nil {
			s += "\n  " + string(id) + ": " + host.Reason(f.Err, string(id))
		}
	}
	return s
}

// leader is the host whose member leads, as the members said when they were
// looked at; "" when none knows one.
func (g *Guard) leader() model.HostID {
	for _, st := range g.Seen.Etcd.Status {
		for id, m := range g.Seen.Etcd.Members {
			if st.Leader != 0 && m.ID == st.Leader {
				return id
			}
		}
	}
	return ""
}

func list(ids []model.HostID) string {
	s := make([]string, len(ids))
	for i, id := range ids {
		s[i] = string(id)
	}
	return strings.Join(s, ", ")
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
