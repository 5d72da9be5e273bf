package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var whoami = Cmd{Args: []string{"echo", "here"}}

func works(t *testing.T, h Host) {
	t.Helper()
	res, err := h.Run(within(t, 2*time.Minute), whoami)
	if err != nil || string(res.Stdout) != "here\n" {
		t.Fatalf("got %q, %v", res.Stdout, err)
	}
}

// children are the processes of the server's connections.
func (s *sshd) children(t *testing.T) []int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.pid, s.pid))
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for f := range strings.FieldsSeq(string(b)) {
		var n int
		fmt.Sscan(f, &n)
		pids = append(pids, n)
	}
	return pids
}

func (s *sshd) killSessions(t *testing.T) {
	t.Helper()
	pids := s.children(t)
	if len(pids) == 0 {
		t.Fatal("the server has no connection")
	}
	for _, p := range pids {
		syscall.Kill(p, syscall.SIGKILL)
	}
}

func TestLostConnection(t *testing.T) {
	s := startSSHD(t)
	h := s.connect(t)
	time.AfterFunc(300*time.Millisecond, func() { s.killSessions(t) })
	_, err := h.Run(within(t, 50*time.Second), Cmd{Args: []string{"sleep", "60"}})
	if !errors.Is(err, ErrUnreachable) {
		t.Fatal(err)
	}
	mentions(t, err, "cp1: sleep 60", "connection lost", "run it again")
	if at := Unreachable(err); at != "cp1" {
		t.Errorf("it names %q", at)
	}
	works(t, h) // over a new connection

	s.killSessions(t)
	works(t, h) // even if nobody has noticed yet
}

func TestDeadPeerIsNoticed(t *testing.T) {
	s := startSSHD(t)
	proxy := newProxy(t, s.addr())
	c := s.config(t)
	c.Port, c.KeepAlive = proxy.port, 100*time.Millisecond
	trust(t, &c)
	h := mustConnect(t, c)
	works(t, h)
	time.AfterFunc(200*time.Millisecond, func() { proxy.hole.Store(true) })
	if _, err := h.Run(within(t, 50*time.Second), Cmd{Args: []string{"sleep", "60"}}); !errors.Is(err, ErrUnreachable) {
		t.Fatal(err)
	}
	proxy.hole.Store(false)
	works(t, h)
}

func TestQuietConnectionLives(t *testing.T) {
	t.Parallel() // it waits
	s := startSSHD(t)
	c := s.config(t)
	c.KeepAlive = 2 * time.Second // three times that without a word of a busy sshd breaks it
	h := mustConnect(t, c)
	works(t, h)
	before := h.cur
	time.Sleep(7 * time.Second)
	works(t, h)
	if h.cur != before {
		t.Error("a quiet connection was broken")
	}
}

func TestConnectFailures(t *testing.T) {
	s := startSSHD(t)
	t.Run("nobody listens", func(t *testing.T) {
		c := s.config(t)
		c.Port = 1
		_, err := Connect(t.Context(), c)
		mentions(t, err, "cp1: connect to 127.0.0.1:1", "refused", "ssh.address")
		if !errors.Is(err, ErrUnreachable) || Unreachable(err) != "cp1" {
			t.Error("not ErrUnreachable of cp1")
		}
		// Of its jump host, it is cp1 that cannot be asked.
		c.Jump = "127.0.0.1:1"
		if _, err = Connect(t.Context(), c); Unreachable(err) != "cp1" {
			t.Errorf("through a jump host: %v", err)
		}
	})
	t.Run("nobody answers", func(t *testing.T) {
		proxy := newProxy(t, s.addr())
		proxy.hole.Store(true)
		c := s.config(t)
		c.Port, c.ConnectTimeout = proxy.port, 300*time.Millisecond
		_, err := Connect(t.Context(), c)
		mentions(t, err, "cp1", "no answer in time")
		if !errors.Is(err, ErrUnreachable) {
			t.Error("not ErrUnreachable")
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Connect(ctx, s.config(t)); err == nil {
			t.Error("no error")
		}
	})
}

func TestClosed(t *testing.T) {
	s := startSSHD(t)
	h := New(s.config(t))
	works(t, h)
	time.AfterFunc(200*time.Millisecond, func() { h.Close() })
	if _, err := h.Run(t.Context(), Cmd{Args: []string{"sleep", "20"}}); err == nil {
		t.Error("a running command survived Close")
	}
	_, err := h.Run(t.Context(), whoami)
	mentions(t, err, "cp1", "closed")
}

func TestLazyAndParallel(t *testing.T) {
	s := startSSHD(t)
	var wg sync.WaitGroup
	for range 8 {
		h := New(s.config(t))
		t.Cleanup(func() { h.Close() })
		for range 3 { // three callers share one connection
			wg.Go(func() {
				if _, err := h.Run(t.Context(), whoami); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if n := len(s.children(t)); n != 8 {
		t.Errorf("%d connections, want one for each of 8 hosts", n)
	}
}

func TestJump(t *testing.T) {
	jump, s := startSSHD(t), startSSHD(t)
	c := s.config(t)
	c.Jump = fmt.Sprintf("%s@127.0.0.1:%d", c.User, jump.port)
	// One key and one known_hosts for both, as with ssh -J.
	pub, err := os.ReadFile(s.dir + "/authorized_keys")
	if err != nil {
		t.Fatal(err)
	}
	jump.write(t, "authorized_keys", string(pub))
	_, err = Connect(t.Context(), c)
	mentions(t, err, "cp1 (jump host)", "--accept-new")

	a, _ := os.ReadFile(s.known)
	b, _ := os.ReadFile(jump.known)
	s.write(t, "known_hosts", string(a)+string(b))
	h := mustConnect(t, c)
	works(t, h)
	if len(jump.children(t)) != 1 {
		t.Error("the jump host was not used")
	}
	jump.killSessions(t)
	works(t, h)
}

// trust records whatever key a server of ours shows.
func trust(t *testing.T, c *Config) {
	c.KnownHostsFile = t.TempDir() + "/known_hosts"
	c.Confirm = func(string, string) (bool, error) { return true, nil }
}

// proxy passes bytes on, until it becomes a hole that swallows them.
type proxy struct {
	port int
	hole atomic.Bool
}

func newProxy(t *testing.T, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &proxy{port: l.Addr().(*net.TCPAddr).Port}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			go p.pass(in, out)
			go p.pass(out, in)
		}
	}()
	return p
}

func (p *proxy) pass(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if p.hole.Load() {
			io.Copy(io.Discard, from)
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
