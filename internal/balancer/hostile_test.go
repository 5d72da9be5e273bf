package balancer_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/health"
)

func (b *bed) dial() *net.TCPConn {
	b.t.Helper()
	c, err := net.Dial("tcp", b.address)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return c.(*net.TCPConn)
}

// TestClientsThatNeverSpeak fill the place for them; others get through, and
// the oldest silent one gives way.
func TestClientsThatNeverSpeak(t *testing.T) {
	bed := newBed(t, 2, func(f *config.File) { f.Ways[0].MaxConnections = 100 }) // 25 may wait
	first := bed.dial()
	for range 60 {
		bed.dial()
	}
	for range 20 {
		if _, err := bed.who(nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := first.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the first silent client: %v, want a reset", err)
	}
	if n := bed.b.View().Ways[0].Pending; n > 25 {
		t.Errorf("%d wait", n)
	}
}

func TestLimitResetsAtOnce(t *testing.T) {
	bed := newBed(t, 1, func(f *config.File) { f.Ways[0].MaxConnections = 2 })
	for range 2 {
		if _, err := bed.who(bed.client()); err != nil {
			t.Fatal(err)
		}
	}
	_, err := bed.who(nil)
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("got %v, want a reset", err)
	}
	if n := bed.b.View().Ways[0].Counts.Limited.Load(); n == 0 {
		t.Error("it was not counted")
	}
}

// TestHelloByteByByte: a ClientHello that dribbles in is put together.
func TestHelloByteByByte(t *testing.T) {
	bed := newBed(t, 2, nil)
	c := tls.Client(dribble{bed.dial()}, &tls.Config{RootCAs: bed.certs.Pool, ServerName: "127.0.0.1"})
	if err := c.Handshake(); err != nil {
		t.Error(err)
	}
}

type dribble struct{ net.Conn }

func (d dribble) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := d.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

// TestHelloOver16KiB is passed on at once; the server answers with its alert.
func TestHelloOver16KiB(t *testing.T) {
	bed := newBed(t, 1, nil)
	c := bed.dial()
	text := []byte{0x16, 3, 1, 0x40, 0, 1, 2, 0, 0} // 128 KiB
	text = append(text, make([]byte, 1<<14-4)...)
	if _, err := c.Write(text); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := io.ReadFull(c, b); err != nil || b[0] != 0x15 {
		t.Errorf("the answer begins with %#x, %v", b[0], err)
	}
}

// TestPlainHTTP gets the server's own answer, and a client that half closes
// still gets it.
func TestPlainHTTP(t *testing.T) {
	bed := newBed(t, 2, nil)
	c := bed.dial()
	if _, err := io.WriteString(c, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = c.CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("%v, %v", resp, err)
	}
}

// TestStormsLeaveNothingBehind: clients that reset, half close, or go away in
// the middle leave no session, goroutine or descriptor.
func TestStormsLeaveNothingBehind(t *testing.T) {
	bed := newBed(t, 2, nil)
	if _, err := bed.who(nil); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			c := bed.dial()
			_ = c.SetLinger(0)
			switch i % 4 {
			case 0: // at once
			case 1:
				_, _ = c.Write([]byte{0x16, 3, 1})
				_ = c.CloseWrite()
			case 2:
				_, _ = io.WriteString(c, "GET / HT")
			case 3:
				_ = tls.Client(c, &tls.Config{RootCAs: bed.certs.Pool, ServerName: "127.0.0.1"}).Handshake()
			}
			c.Close()
		})
	}
	for range 20 {
		if _, err := bed.who(nil); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	bed.until("all sessions end", func() bool {
		v := bed.b.View().Ways[0]
		return v.Sessions == 0 && v.Backends[0].Sessions == 0 && v.Backends[1].Sessions == 0
	})
	bed.until("all goroutines end", func() bool { return runtime.NumGoroutine() <= before+4 })
}

// TestProxyProtocol: each backend that a connection is tried on gets a header
// of its own, with the client's address.
func TestProxyProtocol(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	starts := make(chan string, 8)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 512)
				n, _ := c.Read(b)
				starts <- string(b[:n])
			}()
		}
	}()
	bed := newBed(t, 0, func(f *config.File) {
		f.Ways[0].ProxyProtocol = true
		f.Ways[0].Backends = []config.Backend{{Name: "a", Address: l.Addr().String()}}
	})
	c := bed.dial()
	_, _ = io.WriteString(c, "PLAIN")
	port := c.LocalAddr().(*net.TCPAddr).Port
	want := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01" + string([]byte{byte(port >> 8), byte(port)})
	for {
		select {
		case got := <-starts:
			if strings.HasPrefix(got, want) && strings.HasSuffix(got, "PLAIN") {
				return
			}
			if !strings.HasPrefix(got, "\x16") { // not a check
				t.Fatalf("%q", got)
			}
		case <-time.After(time.Minute):
			t.Fatal("no header came")
		}
	}
}

func TestPreferredAndLeaving(t *testing.T) {
	bed := newBed(t, 3, func(f *config.File) { f.Ways[0].Backends[1].Preferred = true })
	bed.goesTo("cp2", 10)
	bed.servers[1].Stop()
	bed.goesTo("cp1 cp3", 5)
	bed.until("it is gone", func() bool { return bed.state(1) == health.Gone })
	bed.file.Ways[0].Backends[0].Leaving = true
	bed.apply()
	bed.goesTo("cp3", 5)
	if err := bed.servers[1].Start(nil); err != nil {
		t.Fatal(err)
	}
	bed.until("the preferred one is back", func() bool {
		name, err := bed.who(nil)
		return err == nil && name == "cp2"
	})
}

// TestGoesHome: a session that came about while the preferred backend was down
// is closed when that has been ready for a while.
func TestGoesHome(t *testing.T) {
	bed := newBed(t, 2, func(f *config.File) { f.Ways[0].Backends[1].Preferred = true })
	bed.servers[1].Stop()
	bed.until("it is gone", func() bool { return bed.state(1) == health.Gone })
	c := bed.client()
	who := func() string {
		name, err := bed.who(c)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	if who() != "cp1" {
		t.Fatal("it went to a server that is gone")
	}
	if err := bed.servers[1].Start(nil); err != nil {
		t.Fatal(err)
	}
	bed.until("the preferred one is back", func() bool { return bed.state(1) == health.Ready })
	bed.until("it has gone home", func() bool {
		bed.b.GoHome(time.Now().Add(time.Hour))
		return who() == "cp2"
	})
}

func ExampleBalancer() {
	f := config.File{Ways: []config.Way{{
		Name: "api", Listen: []string{"127.0.0.1:6443"}, Check: config.Check{Kind: config.KindReadyz, CA: "/etc/kubernetes/pki/ca.crt"},
		Backends: []config.Backend{{Name: "cp1", Address: "10.0.0.1:6443"}},
	}}}.WithDefaults()
	fmt.Println(f.Validate(), f.Ways[0].Detection())
	// Output: <nil> 750ms
}
