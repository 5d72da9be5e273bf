//go:build lab

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/pki"
)

const (
	// mostGap is how long a standing connection may get no answer. nginx would
	// leave it without for as long as the fault lasts.
	mostGap = 10 * time.Second
	// askLimit is when a request has failed.
	askLimit = 20 * time.Second
)

// users ask through front doors, over new connections and over standing ones.
type users struct {
	cancel context.CancelFunc
	group  sync.WaitGroup
	all    []*user
}

// user is one client, and what it feels.
type user struct {
	door  string
	fresh bool
	conf  *tls.Config
	dial  func(context.Context, string, string) (net.Conn, error)

	again atomic.Bool // it shall connect anew

	mu     sync.Mutex
	server string // the certificate of who answered last
	asked  []asked
}

// asked is a request that has ended.
type asked struct {
	begun, ended time.Time
	err          error
}

// users begins to ask through the doors of some hosts, over SSH.
func (c *cluster) users(t *testing.T, doors ...string) *users {
	t.Helper()
	return c.usersOf(t, c.door(), "api."+c.Name+".lab", doors...)
}

// usersOf asks an address as some hosts reach it; its certificate must be for
// that name.
func (c *cluster) usersOf(t *testing.T, address, serverName string, doors ...string) *users {
	t.Helper()
	s := c.keys(t, c.controlPlanes()[0])
	cert, key, err := pki.AdminClient(s, "e2e", 24*time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	conf := &tls.Config{RootCAs: x509.NewCertPool(), Certificates: []tls.Certificate{pair}, ServerName: serverName}
	conf.RootCAs.AppendCertsFromPEM(s.CA.Cert)
	ctx, cancel := context.WithCancel(t.Context())
	u := &users{cancel: cancel}
	t.Cleanup(cancel)
	for _, name := range doors {
		h := host.New(host.Config{Name: name, Address: c.address(t, name), KeyFile: c.KeyFile, KnownHostsFile: c.Known})
		t.Cleanup(func() { h.Close() })
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return h.Dial(ctx, "tcp", address) }
		for i := range 4 {
			one := &user{door: name, fresh: i == 0, conf: conf, dial: dial}
			u.all = append(u.all, one)
			u.group.Go(func() { one.run(ctx) })
		}
	}
	return u
}

// run asks ten times a second; who has a connection waits for the answer first.
func (u *user) run(ctx context.Context) {
	var wg sync.WaitGroup
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	standing := u.client()
	for ctx.Err() == nil {
		if u.fresh {
			wg.Go(func() {
				client := u.client()
				defer client.CloseIdleConnections()
				u.ask(client)
			})
		} else {
			if u.again.Swap(false) {
				standing.CloseIdleConnections()
			}
			u.ask(standing)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	wg.Wait()
	standing.CloseIdleConnections()
}

func (u *user) client() *http.Client {
	return &http.Client{Timeout: askLimit, Transport: &http.Transport{TLSClientConfig: u.conf.Clone(), DialContext: u.dial,
		ForceAttemptHTTP2: true}}
}

func (u *user) ask(client *http.Client) {
	begun := time.Now()
	resp, err := client.Get("https://kubernetes/api/v1/namespaces/default")
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %s", resp.Status)
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked = append(u.asked, asked{begun, time.Now(), err})
	if err == nil {
		u.server = string(resp.TLS.PeerCertificates[0].Raw)
	}
}

// settle returns when a standing connection through each door leads to the API
// server of a host.
func (u *users) settle(t *testing.T, c *cluster, host string) {
	t.Helper()
	server := string(c.served(t, host, "6443").Raw)
	eventually(t, "standing connections through each door lead to "+host, func() error {
		away := map[string]*user{}
		there := map[string]bool{}
		for _, one := range u.all {
			one.mu.Lock()
			if !one.fresh && one.server == server {
				there[one.door] = true
			} else if !one.fresh {
				away[one.door] = one
			}
			one.mu.Unlock()
		}
		for door, one := range away {
			if !there[door] {
				one.again.Store(true)
				return fmt.Errorf("none through the door of %s", door)
			}
		}
		return nil
	})
}

// felt is what a user felt of a fault. What was under way at a server that is
// gone cannot be saved: it is no failure of a new connection.
type felt struct {
	door       string
	fresh      bool
	answers    int
	failed     int // of the requests that began after it
	cut        int // those that were under way when it began, and failed
	gap, worst time.Duration
	first      error
}

func (f felt) String() string {
	kind := "standing connection"
	if f.fresh {
		kind = "new connections"
	}
	return fmt.Sprintf("door of %s, %s: %d answers, %d failed (%v), %d were cut off, longest gap %v, slowest %v", f.door, kind, f.answers,
		f.failed, f.first, f.cut, f.gap.Round(time.Millisecond), f.worst.Round(time.Millisecond))
}

// stop ends all users. Requests that are under way count.
func (u *users) stop(since time.Time) (out []felt) {
	u.cancel()
	u.group.Wait()
	for _, one := range u.all {
		f := felt{door: one.door, fresh: one.fresh}
		last := since
		for _, r := range one.asked {
			switch {
			case r.err != nil && r.begun.Before(since):
				f.cut++
			case r.err != nil:
				if f.failed++; f.first == nil {
					f.first = r.err
				}
			case r.ended.After(since):
				f.answers++
				f.worst = max(f.worst, r.ended.Sub(r.begun))
				f.gap, last = max(f.gap, r.ended.Sub(last)), r.ended
			}
		}
		out = append(out, f)
	}
	return out
}
