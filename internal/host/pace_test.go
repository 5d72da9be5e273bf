package host

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	for name, at := range map[string]struct {
		others []time.Duration
		want   time.Duration
	}{
		"nobody has answered":      {nil, dialTimeout},
		"another answered quickly": {[]time.Duration{600 * time.Millisecond, 3 * time.Millisecond, time.Second}, quietAfter},
		"all are far away":         {[]time.Duration{600 * time.Millisecond, 250 * time.Millisecond}, dialTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &Pace{}
			for _, d := range at.others {
				p.took(d)
			}
			begun := time.Now()
			ctx, cancel := p.limit(context.Background(), dialTimeout)
			defer cancel()
			<-ctx.Done()
			if got := time.Since(begun); got != at.want {
				t.Errorf("%s: given up after %s, want %s", name, got, at.want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // none is shared
		var p *Pace
		p.took(time.Millisecond)
		begun := time.Now()
		ctx, cancel := p.limit(context.Background(), dialTimeout)
		defer cancel()
		<-ctx.Done()
		if got := time.Since(begun); got != dialTimeout {
			t.Errorf("without a pace: given up after %s", got)
		}
	})
}

// Who waits while an attempt to connect fails has its error; who comes later tries again.
func TestSharedFailure(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close() // refuses from now on
	h := newSSH(Config{Name: "cp1", Address: "127.0.0.1", Port: port, KnownHostsFile: filepath.Join(t.TempDir(), "known")})
	meanwhile := errors.New("failed meanwhile")
	h.failed = failure{meanwhile, time.Now().Add(time.Hour)}
	if _, err := h.get(t.Context()); !errors.Is(err, meanwhile) {
		t.Errorf("who waited: %v", err)
	}
	h.failed.at = time.Now().Add(-time.Hour)
	if _, err := h.get(t.Context()); errors.Is(err, meanwhile) || err == nil {
		t.Errorf("who comes later: %v", err)
	}
}
