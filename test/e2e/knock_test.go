//go:build lab

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/internal/lab"
)

// knocks opens connections to an address from this machine, all the time.
type knocks struct {
	cancel   context.CancelFunc
	group    sync.WaitGroup
	mu       sync.Mutex
	answered []time.Time
}

// knockEvery is how exact it is.
const knockEvery = 25 * time.Millisecond

// knock begins. Where a refusal counts it finds out whether a host has the address,
// else whether somebody takes connections.
func knock(t *testing.T, address string, refusalCounts bool) *knocks {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	k := &knocks{cancel: cancel}
	dialer := net.Dialer{Timeout: 900 * time.Millisecond} // before a SYN would be sent again
	k.group.Go(func() {
		tick := time.NewTicker(knockEvery)
		defer tick.Stop()
		for ctx.Err() == nil {
			begun := time.Now()
			k.group.Go(func() {
				conn, err := dialer.DialContext(ctx, "tcp", address)
				if err == nil {
					conn.Close()
				}
				if err == nil || refusalCounts && errors.Is(err, syscall.ECONNREFUSED) {
					k.mu.Lock()
					defer k.mu.Unlock()
					k.answered = append(k.answered, begun)
				}
			})
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	})
	return k
}

// stop ends it, and returns the longest time without an answer, and how many there
// were.
func (k *knocks) stop(since time.Time) (gap time.Duration, answers int) {
	end := time.Now()
	k.cancel()
	k.group.Wait()
	last := since
	for _, at := range append(slices.SortedFunc(slices.Values(k.answered), time.Time.Compare), end) {
		if at.After(since) {
			gap, last, answers = max(gap, at.Sub(last)), at, answers+1
		}
	}
	return gap, answers - 1
}

// measures is what clients outside feel of the virtual address.
type measures struct {
	held, open *knocks
	users      *users
}

func (p *procedure) measure(t *testing.T) measures {
	t.Helper()
	// Nobody listens on the port of discard.
	m := measures{knock(t, net.JoinHostPort(p.vip(), "9"), true), knock(t, net.JoinHostPort(p.vip(), "8443"), false),
		p.usersOf(t, net.JoinHostPort(p.vip(), "8443"), "api."+p.Name+".lab", p.outside)}
	time.Sleep(3 * time.Second)
	return m
}

// stop tells what they felt since then, beside the targets. Only what no slow machine
// explains fails the test.
func (m measures) stop(t *testing.T, p *procedure, since time.Time, what string) {
	t.Helper()
	time.Sleep(3 * time.Second)
	held, asked := m.held.stop(since)
	open, _ := m.open.stop(since)
	t.Logf("%s: the address was on no host for %v (target %v with builtin), its port took no connections for %v; of %d answers", what,
		held.Round(time.Millisecond), targetVIP, open.Round(time.Millisecond), asked)
	for _, r := range m.users.stop(since) {
		t.Logf("%s (target %v): %s", what, targetAPI, r)
		if r.gap > mostMove || r.answers == 0 {
			t.Errorf("%s: %s", what, r)
		}
	}
	p.tellAddress(t, since)
}

// tellAddress shows what the load balancers say of the address: why it was away.
func (p *procedure) tellAddress(t *testing.T, since time.Time) {
	t.Helper()
	for _, lb := range p.of(lab.RoleLoadBalancer) {
		said, err := p.try(t.Context(), lb, `uptime; journalctl -q --no-pager -o short-precise --since "@$1" -u kube-keepalived -u quorate-lb |
			grep -i -E 'state|script|fault|address|vip' | cut -c1-200 | tail -n 30`, fmt.Sprint(since.Unix()))
		t.Logf("%s: %v\n%s", lb, err, said)
	}
}
