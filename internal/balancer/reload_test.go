package balancer_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/internal/balancer"
	"quorate.dev/quorate/internal/balancer/config"
)

// TestReloadUnderLoad adds and removes backends while clients work; nobody
// notices.
func TestReloadUnderLoad(t *testing.T) {
	bed := newBed(t, 3, nil)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			c := bed.client()
			for ctx.Err() == nil {
				use := c
				if i%2 == 0 {
					use = nil
				}
				if _, err := bed.who(use); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all := bed.file.Ways[0].Backends
	for i := range 12 {
		bed.file.Ways[0].Backends = append([]config.Backend{}, all[:1+i%3]...)
		bed.apply()
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	wg.Wait()
	if n := bed.b.View().Ways[0].Counts.Refused.Load(); n != 0 {
		t.Errorf("%d connections were refused", n)
	}
}

func TestRemovedBackendKeepsItsSessions(t *testing.T) {
	bed := newBed(t, 2, func(f *config.File) { f.Drain = config.Duration(3 * time.Second) })
	standing := bed.spread()
	bed.file.Ways[0].Backends = bed.file.Ways[0].Backends[1:]
	bed.apply()
	if name, err := bed.who(standing["cp1"]); err != nil || name != "cp1" {
		t.Errorf("its session was ended: %s, %v", name, err)
	}
	bed.goesTo("cp2", 10)
	bed.until("it is forgotten at the end of the drain", func() bool { return len(bed.b.View().Ways[0].Backends) == 1 })
	if name, err := bed.who(standing["cp1"]); err != nil || name != "cp2" {
		t.Errorf("after the drain: %s, %v", name, err)
	}
}

func TestChangedListenersAndTakenPort(t *testing.T) {
	bed := newBed(t, 1, nil)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f := bed.file.WithDefaults()
	f.Ways[0].Listen = []string{bed.address, taken.Addr().String()}
	if err := bed.b.Apply(f, "bad"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v, want that the address is taken", err)
	}
	if v := bed.b.View(); v.Digest != "digest" {
		t.Errorf("the configuration is now %s", v.Digest)
	}
	if _, err := bed.who(nil); err != nil {
		t.Error(err)
	}
	old := bed.address
	bed.address = freePort(t)
	bed.file.Ways[0].Listen = []string{bed.address}
	bed.apply()
	if _, err := bed.who(nil); err != nil {
		t.Error(err)
	}
	bed.until("the old address is closed", func() bool {
		c, err := net.Dial("tcp", old)
		if err == nil {
			c.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
}

// TestHandOver runs two balancers on one address, as while a program is
// replaced: no connection fails.
func TestHandOver(t *testing.T) {
	bed := newBed(t, 2, nil)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if _, err := bed.who(nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	standing := bed.spread()
	second := balancer.New(slog.New(slog.NewTextHandler(io.Discard, nil)))
	defer second.Close()
	if err := second.Apply(bed.file.WithDefaults(), "second"); err != nil {
		t.Fatal(err)
	}
	drained, cancel := context.WithTimeout(context.Background(), 2500*time.Millisecond)
	defer cancel()
	bed.b.Drain(drained)
	for name, c := range standing {
		if got, err := bed.who(c); err != nil || got != name {
			t.Errorf("the session with %s is now with %q, %v", name, got, err)
		}
	}
	stop()
	wg.Wait()
	if n := second.View().Ways[0].Counts.Connections.Load(); n == 0 {
		t.Error("the second balancer got no connection")
	}
}
