package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// echoServer sends back what it gets.
func echoServer(t *testing.T, network, addr string) string {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	return l.Addr().String()
}

func TestDial(t *testing.T) {
	open, shut := startSSHD(t), startSSHD(t, "AllowTcpForwarding no", "AllowStreamLocalForwarding no")
	// A host without socat has bash only, and then no way to sockets.
	only := t.TempDir()
	for _, tool := range []string{"sh", "env", "bash", "cat", "timeout"} {
		p, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		os.Symlink(p, filepath.Join(only, tool))
	}
	bare := shut.config(t)
	bare.test.path = only
	hosts := map[string]*sshHost{"forwarded": open.connect(t), "by bash": mustConnect(t, bare)}
	if _, err := exec.LookPath("socat"); err == nil {
		hosts["by socat"] = shut.connect(t)
	}
	tcp := echoServer(t, "tcp", "127.0.0.1:0")
	unix := echoServer(t, "unix", filepath.Join(t.TempDir(), "sock"))
	for name, h := range hosts {
		t.Run(name, func(t *testing.T) {
			t.Run("tcp", func(t *testing.T) { tryConn(t, h, "tcp", tcp) })
			t.Run("refused", func(t *testing.T) {
				_, err := h.Dial(within(t, time.Minute), "tcp", "127.0.0.1:1")
				mentions(t, err, "cp1", "127.0.0.1:1", "refused")
				var op *net.OpError
				if !errors.As(err, &op) {
					t.Errorf("%T", err)
				}
			})
			t.Run("unix", func(t *testing.T) {
				if name == "by bash" {
					_, err := h.Dial(within(t, time.Minute), "unix", unix)
					mentions(t, err, "cp1", "install socat")
					return
				}
				tryConn(t, h, "unix", unix)
			})
			t.Run("http", func(t *testing.T) { tryHTTP(t, h) })
		})
	}
	_, err := hosts["forwarded"].Dial(t.Context(), "udp", "x")
	mentions(t, err, "cp1", "tcp or unix")
}

func tryConn(t *testing.T, h *sshHost, network, addr string) {
	c, err := h.Dial(within(t, time.Minute), network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.RemoteAddr(); got.Network() != network || got.String() != addr {
		t.Errorf("remote address %v", got)
	}
	// A deadline, and life after it.
	if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("want a timeout, got %v", err)
	}
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go c.Write(sent)
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("echo: %v", err)
	}
	c.Close()
	if _, err := c.Read(got); err == nil {
		t.Error("read after close")
	}
}

func tryHTTP(t *testing.T, h *sshHost) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	tr := &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, n, a string) (net.Conn, error) { return h.Dial(ctx, n, a) },
	}
	client := http.Client{Transport: tr, Timeout: time.Minute}
	for range 20 { // more than sessions: each must be given back
		resp, err := client.Get("http://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(b) != "hello" {
			t.Fatalf("%q, %v", b, err)
		}
	}
}

func TestDialledConnectionIsLost(t *testing.T) {
	s := startSSHD(t)
	h := s.connect(t)
	c, err := h.Dial(t.Context(), "tcp", echoServer(t, "tcp", "127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.killSessions(t)
	c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
