package relay

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

// TestEndsBeforeRun: what both sides sent, and that they ended, is known before
// the pair runs, so that no event comes for it.
func TestEndsBeforeRun(t *testing.T) {
	l := unjoined(t)
	for _, c := range []io.Writer{l.client, l.server} {
		if _, err := c.Write([]byte("bye")); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = l.client.CloseWrite(), l.server.CloseWrite()
	for _, s := range []*Sock{l.pair.Client, l.pair.Server} {
		seen(t, s, func(e edge) bool { return e.last })
	}
	l.run()
	for _, c := range []io.Reader{l.client, l.server} {
		if got, err := io.ReadAll(c); string(got) != "bye" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	<-l.done
	poolsAreFull(t)
}

// seen waits until a socket's loop has noted something.
func seen(t *testing.T, s *Sock, ok func(edge) bool) {
	t.Helper()
	for range 2000 {
		s.mu.Lock()
		now := s.edge
		s.mu.Unlock()
		if ok(now) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("the loop has noted nothing")
}

func TestResetBeforeRun(t *testing.T) {
	l := unjoined(t)
	l.pair.Reset()
	l.run()
	<-l.done
}

// TestDeadline: a socket whose deadline was over can be read later.
func TestDeadline(t *testing.T) {
	l := unjoined(t)
	s := l.pair.Client
	s.SetDeadline(time.Now().Add(time.Millisecond))
	if b, err := s.ReadPooled(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %q, %v", b, err)
	}
	s.SetDeadline(time.Time{})
	if _, err := l.client.Write([]byte("late")); err != nil {
		t.Fatal(err)
	}
	b, err := s.ReadPooled()
	if string(b) != "late" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	Give(b)
	l.pair.Reset()
}

// TestCloseWakes: who waits for a socket that somebody closes waits no longer.
func TestCloseWakes(t *testing.T) {
	l := unjoined(t)
	read := make(chan error, 1)
	go func() {
		_, err := l.pair.Client.ReadPooled()
		read <- err
	}()
	for waits := false; !waits; time.Sleep(time.Millisecond) {
		l.pair.Client.mu.Lock()
		waits = l.pair.Client.waiter != nil
		l.pair.Client.mu.Unlock()
	}
	l.pair.Reset()
	if err := <-read; !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
