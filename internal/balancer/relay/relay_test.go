package relay

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"
)

// link is a client and a server, joined by a Pair.
type link struct {
	client, server *net.TCPConn
	pair           *Pair
	done           chan struct{}
}

var counted [2]Counter

func newLink(t *testing.T) *link {
	l := unjoined(t)
	l.run()
	return l
}

func (l *link) run() { l.pair.Run(func() { close(l.done) }) }

// unjoined is a link whose pair does not run yet.
func unjoined(t *testing.T) *link {
	front, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(front.Close)
	at := front.Address()
	accepted := make(chan *Sock, 1)
	go front.Accept(func(s *Sock) { accepted <- s }, func(error) {})
	back, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	client, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	to := netip.MustParseAddrPort(back.Addr().String())
	peer := <-accepted
	up, err := Dial(to, peer)
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Connect(to); err != nil {
		t.Fatal(err)
	}
	server, err := back.Accept()
	if err != nil {
		t.Fatal(err)
	}
	l := &link{client.(*net.TCPConn), server.(*net.TCPConn), nil, make(chan struct{})}
	l.pair = &Pair{Client: peer, Server: up, FromClient: &counted[0], ToClient: &counted[1]}
	for _, c := range []net.Conn{client, server} {
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		t.Cleanup(func() { c.Close() })
	}
	return l
}

// send writes n random bytes in pieces of random sizes, and returns their sum.
func send(t *testing.T, c *net.TCPConn, seed uint64, n, most int) [32]byte {
	r, sum := rand.NewChaCha8([32]byte{byte(seed)}), sha256.New()
	sizes := rand.New(rand.NewPCG(seed, 0))
	for n > 0 {
		b := make([]byte, min(n, 1+sizes.IntN(most)))
		_, _ = r.Read(b)
		sum.Write(b)
		if _, err := c.Write(b); err != nil {
			t.Error(err)
			break
		}
		n -= len(b)
	}
	_ = c.CloseWrite()
	return [32]byte(sum.Sum(nil))
}

// slowly reads to the end in pieces, with pauses.
func slowly(t *testing.T, c *net.TCPConn, pause time.Duration) [32]byte {
	sum, b := sha256.New(), make([]byte, 100<<10)
	for {
		n, err := c.Read(b)
		sum.Write(b[:n])
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			return [32]byte(sum.Sum(nil))
		}
		time.Sleep(pause)
	}
}

// TestBothWays: small pieces are copied, large ones spliced, slow readers hold
// the writers up; and every byte arrives once and in order.
func TestBothWays(t *testing.T) {
	for _, c := range []struct {
		name    string
		n, most int
		pause   time.Duration
	}{
		{"small", 100 << 10, 300, 0}, {"large", 32 << 20, 1 << 20, 0}, {"mixed", 8 << 20, 200 << 10, 0},
		{"slow reader", 8 << 20, 1 << 20, 300 * time.Microsecond}, {"nothing", 0, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLink(t)
			var sums [4][32]byte
			var wg sync.WaitGroup
			wg.Go(func() { sums[0] = send(t, l.client, 1, c.n, c.most) })
			wg.Go(func() { sums[1] = slowly(t, l.server, c.pause) })
			wg.Go(func() { sums[2] = send(t, l.server, 2, c.n, c.most) })
			wg.Go(func() { sums[3] = slowly(t, l.client, c.pause) })
			wg.Wait()
			if sums[0] != sums[1] || sums[2] != sums[3] {
				t.Error("other bytes arrived than were sent")
			}
			<-l.done
		})
	}
	poolsAreFull(t)
}

// poolsAreFull: no buffer and no pipe is in use.
func poolsAreFull(t *testing.T) {
	t.Helper()
	for range 1000 {
		pipes.Lock()
		idle := len(pipes.idle) == pipes.all
		pipes.Unlock()
		if idle && largeInUse.Load() == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d buffers are in use, %d of %d pipes are idle", largeInUse.Load(), len(pipes.idle), pipes.all)
}

func TestResetReachesBothSides(t *testing.T) {
	l := newLink(t)
	// Bytes are on their way while it happens.
	wrote := make(chan error, 1)
	go func() {
		_, err := l.server.Write(bytes.Repeat([]byte("x"), 64<<20))
		wrote <- err
	}()
	if _, err := io.ReadFull(l.client, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	l.pair.Reset()
	<-l.done
	if _, err := io.Copy(io.Discard, l.client); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client got %v, want a reset", err)
	}
	// A socket reports its reset once, so the server's writer has it and not a reader.
	if err := <-wrote; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server got %v, want a reset", err)
	}
	poolsAreFull(t)
}

func TestClientsResetReachesTheServer(t *testing.T) {
	l := newLink(t)
	_ = l.client.SetLinger(0)
	l.client.Close()
	if _, err := l.server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	<-l.done
}

func TestRefusedDial(t *testing.T) {
	beside := newLink(t).pair.Client
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(l.Addr().String())
	l.Close()
	for _, try := range []func(*Sock) error{
		func(s *Sock) error { return s.Connect(at) },
		func(s *Sock) error { _, err := s.Write([]byte("hello")); return err },
	} {
		s, err := Dial(at, beside)
		if err == nil {
			err = try(s)
			s.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v, want a refusal", err)
		}
	}
}

// TestManySlowReaders: beyond the bound buffers are small, and nothing is lost.
func TestManySlowReaders(t *testing.T) {
	largeInUse.Add(mostLarge)
	b := take()
	if len(b) != small {
		t.Errorf("a buffer of %d bytes beyond the bound", len(b))
	}
	give(b)
	l := newLink(t)
	_ = l.client.CloseWrite()
	sent := make(chan [32]byte, 1)
	go func() { sent <- send(t, l.server, 3, 4<<20, 1<<20) }()
	got := slowly(t, l.client, 0)
	<-l.done
	if got != <-sent {
		t.Error("other bytes arrived than were sent")
	}
	largeInUse.Add(-mostLarge)
	poolsAreFull(t)
}

func TestNoDescriptorLeft(t *testing.T) {
	l, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := l.Address()
	c, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	l.refuse()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	if l.spare < 0 {
		t.Error("there is no spare descriptor any more")
	}
}
