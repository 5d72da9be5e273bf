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

// A server that is silent at the login is given up by what the others took.
func TestPaceOfLogins(t *testing.T) {
	for name, at := range map[string]struct {
		others []time.Duration
		speaks time.Duration // so long it says something now and then
		want   time.Duration // 0: never
	}{
		"nobody has logged in":           {nil, 0, 0},
		"the others were quick":          {[]time.Duration{50 * time.Millisecond, 10 * time.Millisecond}, 0, minSilence},
		"one of the others was slow":     {[]time.Duration{time.Second / 2, 10 * time.Millisecond}, 0, 10 * time.Second},
		"it is slow, and not silent yet": {[]time.Duration{10 * time.Millisecond}, 10 * time.Second, 10*time.Second + minSilence},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &Pace{}
			for _, d := range at.others {
				p.loggedIn(d)
			}
			begun := time.Now()
			whole, end := context.WithTimeout(context.Background(), time.Minute)
			defer end()
			ctx, cancel := p.attentive(whole, func() time.Time {
				if time.Since(begun) < at.speaks {
					return time.Now()
				}
				return begun.Add(at.speaks)
			})
			defer cancel()
			<-ctx.Done()
			got := time.Since(begun)
			if at.want == 0 && whole.Err() == nil || at.want > 0 && (got < at.want || got > at.want+3*silenceTick) {
				t.Errorf("%s: given up after %s, want %s", name, got, at.want)
			}
		})
	}
}

// The kernel of a host whose sshd hangs accepts the connection.
func TestHungSSHD(t *testing.T) {
	t.Parallel() // it waits
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := startSSHD(t).config(t)
	c.Pace = &Pace{}
	c.Pace.loggedIn(time.Millisecond)
	c.Port = l.Addr().(*net.TCPAddr).Port
	c.ConnectTimeout = time.Hour
	_, err = Connect(t.Context(), c)
	mentions(t, err, "ssh handshake with", "no answer in time")
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("%v does not count as unreachable", err)
	}
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
