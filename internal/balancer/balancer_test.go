package balancer_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/internal/balancer"
	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/health"
	"quorate.dev/quorate/internal/balancer/lbtest"
)

// bed is a balancer before real TLS servers on loopback.
type bed struct {
	t       *testing.T
	certs   *lbtest.Certificates
	servers []*lbtest.Server
	b       *balancer.Balancer
	file    config.File
	address string
}

func newBed(t *testing.T, servers int, change func(*config.File)) *bed {
	certs, err := lbtest.NewCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bed := &bed{t: t, certs: certs, address: freePort(t), b: balancer.New(slog.New(slog.NewTextHandler(t.Output(), nil)))}
	// The time-out is long, so that servers which starve on a busy machine are
	// not taken for silent.
	way := config.Way{Name: "api", Listen: []string{bed.address}, Check: config.Check{
		Kind: config.KindReadyz, CA: certs.CA, Timeout: config.Duration(3 * time.Second),
	}}
	for i := range servers {
		s, err := lbtest.NewServer(fmt.Sprintf("cp%d", i+1), certs, nil)
		if err != nil {
			t.Fatal(err)
		}
		bed.servers = append(bed.servers, s)
		way.Backends = append(way.Backends, config.Backend{Name: s.Name, Address: s.Address})
		t.Cleanup(s.Stop)
	}
	bed.file = config.File{Ways: []config.Way{way}}
	if change != nil {
		change(&bed.file)
	}
	t.Cleanup(bed.b.Close)
	bed.apply()
	return bed
}

func (b *bed) apply() {
	b.t.Helper()
	f := b.file.WithDefaults()
	if err := f.Validate(); err != nil {
		b.t.Fatal(err)
	}
	if err := b.b.Apply(f, "digest"); err != nil {
		b.t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	address, err := lbtest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// until waits for something that must happen, for as long as a slow machine
// may need.
func (b *bed) until(what string, f func() bool) time.Duration {
	b.t.Helper()
	begun := time.Now()
	for !f() {
		if time.Since(begun) > time.Minute {
			b.t.Fatalf("%s did not happen: %+v", what, b.b.View().Ways[0].Backends)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(begun)
}

func (b *bed) state(i int) health.State {
	for _, v := range b.b.View().Ways[0].Backends {
		if v.Address == b.servers[i].Address {
			return v.State
		}
	}
	return health.Unknown
}

func (b *bed) client() *http.Client {
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: b.certs.Pool}}
	b.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: time.Minute}
}

// who asks over a new connection, or over that of c.
func (b *bed) who(c *http.Client) (string, error) {
	if c == nil {
		c = b.client()
		defer c.CloseIdleConnections()
	}
	resp, err := c.Get("https://" + b.address + "/who")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// goesTo makes new connections, which must all go to one server, or to another
// one as the faster of two.
func (b *bed) goesTo(names string, n int) {
	b.t.Helper()
	for range n {
		before := b.hedged()
		if name, err := b.who(nil); err != nil || !strings.Contains(names, name) && b.hedged() == before {
			b.t.Fatalf("it went to %s, %v", name, err)
		}
	}
}

func (b *bed) hedged() (n int64) {
	for _, v := range b.b.View().Ways[0].Backends {
		n += v.Counts.Hedged.Load()
	}
	return n
}

// spread makes a client for every server, each with a standing connection.
func (b *bed) spread() map[string]*http.Client {
	b.t.Helper()
	all := map[string]*http.Client{}
	for range 1000 {
		c := b.client()
		name, err := b.who(c)
		if err != nil {
			b.t.Fatal(err)
		}
		all[name] = c
		if len(all) == len(b.servers) {
			return all
		}
	}
	b.t.Fatalf("connections went to %d servers only", len(all))
	return nil
}

func TestSpreadsOverAll(t *testing.T) { newBed(t, 3, nil).spread() }

func TestBytesArriveWhole(t *testing.T) {
	bed := newBed(t, 2, nil)
	c := bed.client()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			text := bytes.Repeat([]byte(fmt.Sprintf("%08d", i)), 1<<18)
			resp, err := c.Post("https://"+bed.address+"/echo", "text/plain", bytes.NewReader(text))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%d of %d bytes, %v", len(got), len(text), err)
			}
		})
	}
	wg.Wait()
}

// TestHungServer: it takes connections and is silent. New connections do not
// notice, and standing ones are reset.
func TestHungServer(t *testing.T) {
	bed := newBed(t, 3, nil)
	standing := bed.spread()
	bed.servers[1].Hang()
	hung := time.Now()
	lost := make(chan error, 1)
	go func() {
		_, err := bed.who(standing["cp2"])
		lost <- err
	}()
	for range 20 {
		if _, err := bed.who(nil); err != nil {
			t.Error(err)
		}
	}
	bed.until("the hung server is gone", func() bool { return bed.state(1) == health.Gone })
	for _, c := range bed.b.View().Changes {
		if c.To == health.Gone {
			t.Logf("%s was gone %v after it hung: %s", c.Backend, c.At.Sub(hung), c.Reason)
		}
	}
	// Go's client repeats a GET over a new connection when the old one breaks.
	if err := <-lost; err != nil {
		t.Errorf("the standing connection: %v", err)
	}
	bed.servers[1].Wake()
	bed.until("it is back", func() bool { return bed.state(1) == health.Ready })
}

func TestRefusingServer(t *testing.T) {
	bed := newBed(t, 3, nil)
	bed.servers[0].Stop()
	for range 30 {
		if _, err := bed.who(nil); err != nil {
			t.Fatal(err)
		}
	}
	bed.until("it is gone", func() bool { return bed.state(0) == health.Gone })
	if err := bed.servers[0].Start(nil); err != nil {
		t.Fatal(err)
	}
	bed.until("it is back", func() bool { return bed.state(0) == health.Ready })
}

func TestNotReadyServer(t *testing.T) {
	bed := newBed(t, 2, func(f *config.File) { f.Ways[0].Check.Grace = config.Duration(300 * time.Millisecond) })
	standing := bed.spread()
	bed.servers[0].Readyz.Store(500)
	bed.until("it is not ready", func() bool { return bed.state(0) == health.NotReady })
	bed.goesTo("cp2", 20)
	bed.until("its sessions are closed", func() bool {
		name, err := bed.who(standing["cp1"])
		return err == nil && name == "cp2"
	})
	bed.servers[1].Readyz.Store(500) // the last one stays
	time.Sleep(600 * time.Millisecond)
	if name, err := bed.who(nil); err != nil || name != "cp2" {
		t.Errorf("the last one does not get connections: %s, %v", name, err)
	}
}

func TestHangingReadyzKeepsSessions(t *testing.T) {
	bed := newBed(t, 2, nil)
	standing := bed.spread()
	bed.servers[0].Readyz.Store(0)
	bed.until("it is not ready", func() bool { return bed.state(0) == health.NotReady })
	if name, err := bed.who(standing["cp1"]); err != nil || name != "cp1" {
		t.Errorf("its session was ended: %s, %v", name, err)
	}
}

func TestAllDownIsRefusedAndNotHung(t *testing.T) {
	bed := newBed(t, 2, nil)
	bed.servers[0].Stop()
	bed.servers[1].Stop()
	begun := time.Now()
	_, err := bed.who(nil)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestKilledServerEndsItsSessionsOnly(t *testing.T) {
	bed := newBed(t, 3, nil)
	standing := bed.spread()
	bed.servers[2].Stop()
	bed.until("it is gone", func() bool { return bed.state(2) == health.Gone })
	for _, name := range []string{"cp1", "cp2"} {
		if got, err := bed.who(standing[name]); err != nil || got != name {
			t.Errorf("the session with %s is now with %q, %v", name, got, err)
		}
	}
}

// TestLastBackendHangs: it stays in use, but a connection that it does not
// answer is reset within seconds.
func TestLastBackendHangs(t *testing.T) {
	bed := newBed(t, 1, nil)
	bed.servers[0].Hang()
	bed.until("it fails its checks", func() bool { return bed.b.View().Ways[0].Backends[0].Held != "" })
	if s := bed.state(0); s != health.Ready {
		t.Errorf("it is %v", s)
	}
	begun := time.Now()
	if _, err := bed.who(nil); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	if took := time.Since(begun); took > 8*time.Second { // it would be 10 s
		t.Errorf("it took %v", took)
	}
}

// TestSlowServerIsNotLeftForOneThatIsNotReady: a server that is slow to answer
// is waited for when the only other one is not ready.
func TestSlowServerIsNotLeftForOneThatIsNotReady(t *testing.T) {
	bed := newBed(t, 2, nil)
	bed.servers[1].Readyz.Store(500)
	bed.until("it is not ready", func() bool { return bed.state(1) == health.NotReady })
	bed.servers[0].Hang()
	time.AfterFunc(600*time.Millisecond, bed.servers[0].Wake)
	if name, err := bed.who(nil); err != nil || name != "cp1" {
		t.Errorf("%s, %v", name, err)
	}
}
