package etcdadmin

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
)

const (
	// emptyTime is how long the sessions with a member may take to move.
	emptyTime = 5 * time.Second
	// perSecond is how much of a database is defragmented in a second at least.
	perSecond = 10 << 20
)

// aside takes a member out of the hosts' balancers, and returns when no API
// server is connected to it through them. back undoes it; if it is never called,
// the entry expires once the member must be done with size bytes.
func (g *Guard) aside(ctx context.Context, id model.HostID, size int64) (back func(), err error) {
	all, down := g.voters()
	if len(all)-len(down) < 2 {
		return func() {}, nil // there is no other to lead to
	}
	at := g.Seen.Goal.Layout.Balancer.Leaving
	var told []model.HostID
	back = func() {
		if ctx.Err() != nil {
			return // etcd goes on by itself
		}
		for _, t := range told {
			if _, err := g.Hosts[t].Run(ctx, host.Cmd{Args: []string{"rm", "-f", at}}); err != nil {
				g.Say("%s: could not remove %s, which expires by itself: %v", t, at, err)
			}
		}
	}
	for _, t := range g.leadingTo(id) {
		const script = `umask 022; mkdir -p "${1%/*}" && rm -f "$1.new" && printf '%s %s %s\n' "$2" "$3" "$(($(date +%s) + $4))" >"$1.new" && mv -T "$1.new" "$1"`
		_, err := g.Hosts[t].Run(ctx, host.Cmd{Args: []string{"sh", "-c", script, "sh", at, component.EtcdWay, string(id),
			strconv.FormatInt(60+size/perSecond, 10)}})
		if err != nil {
			back()
			return nil, fmt.Errorf("take the member of %s out of quorate-lb on %s: %w", id, t, err)
		}
		told = append(told, t)
	}
	if len(told) > 0 {
		select { // the balancers look once a second
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	for _, t := range told {
		if err := g.emptied(ctx, t, id); err != nil {
			g.Say("%s: its API server may wait while the member of %s is defragmented, as without quorate-lb: %v", t, id, err)
		}
	}
	return back, nil
}

// leadingTo are the hosts that answer and whose quorate-lb has the member among
// its backends.
func (g *Guard) leadingTo(id model.HostID) (out []model.HostID) {
	for _, t := range g.Seen.IDs() {
		h := g.Seen.Have.Hosts[t]
		if g.Hosts[t] != nil && h.Up() && h.Runs(model.Balancer) && h.EtcdBackends.Or(model.HostSet{}).Has(id) {
			out = append(out, t)
		}
	}
	return out
}

// emptied waits until the balancer of a host has no session with the member.
func (g *Guard) emptied(ctx context.Context, at, id model.HostID) error {
	ctx, cancel := context.WithTimeout(ctx, emptyTime)
	defer cancel()
	return until(ctx, func(ctx context.Context) error {
		n, err := g.sessions(ctx, at, id)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d connections are left", n)
		}
		return err
	})
}

// sessions asks the balancer of a host how many it has with a member.
func (g *Guard) sessions(ctx context.Context, at, id model.HostID) (int, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return g.Hosts[at].Dial(ctx, network, address)
		}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		"http://"+net.JoinHostPort("127.0.0.1", g.Seen.Goal.Layout.Balancer.HealthPort)+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return sessionsIn(bufio.NewScanner(resp.Body), string(id))
}

func sessionsIn(lines *bufio.Scanner, backend string) (int, error) {
	want := fmt.Sprintf("quorate_lb_backend_sessions{backend=%q,way=%q} ", backend, component.EtcdWay)
	for lines.Scan() {
		if n, is := strings.CutPrefix(lines.Text(), want); is {
			return strconv.Atoi(strings.TrimSpace(n))
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("the balancer's metrics do not say how many (%s)", strings.TrimSpace(want))
}
