package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	wanted   = 20000 // idle connections
	spare    = 5000  // descriptors for all others
	loris    = 400
	silent   = 1500
	storming = 20 * time.Second
)

// endure holds as many idle connections as the descriptors allow, 20,000 at most,
// lets clients of the worst kinds loose beside them, and fails when others notice
// or anything stays behind.
func endure(o options) error {
	o.only = []string{"ours"}
	b, err := newBed(o)
	if err != nil {
		return err
	}
	defer b.close()
	t := b.targets[0]
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return err
	}
	n := min(wanted, (int(min(r.Cur, 1<<20))-spare)/2)
	if n < wanted {
		fmt.Fprintf(os.Stderr, "%d descriptors suffice for %d idle connections, two each, and not for %d\n", r.Cur, n, wanted)
	}
	time.Sleep(time.Second)
	memoryBefore, descriptorsBefore := memory(t.pid), descriptors(t.pid)
	idle, err := b.hold(t.address, n)
	defer func() {
		for _, c := range idle {
			c.Close()
		}
	}()
	if err != nil {
		return fmt.Errorf("after %d idle connections: %w", len(idle), err)
	}
	time.Sleep(3 * time.Second)
	held := memory(t.pid)
	fmt.Printf("%d idle connections: %.1f MiB, before %.1f; %.2f KiB each\n", n, held/(1<<20), memoryBefore/(1<<20),
		(held-memoryBefore)/1024/float64(n))

	asked, longest, err := b.storm(t.address)
	if err != nil {
		return err
	}
	worst := memory(t.pid)
	fmt.Printf("storms for %v: %d new TLS connections of others, none failed, the longest took %v; %.1f MiB\n", storming, asked,
		longest.Round(time.Millisecond), worst/(1<<20))
	for _, c := range idle {
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("an idle connection ended: %w", err)
		}
		c.Close()
	}
	idle = nil
	return afterwards(t, descriptorsBefore)
}

// afterwards: clients that never spoke are let go after 10 s, half-closed ones
// after 30 s, and nothing stays.
func afterwards(t target, before int) error {
	var left int
	for range 60 {
		if left = descriptors(t.pid); left <= before+moreDescriptors {
			break
		}
		time.Sleep(time.Second)
	}
	fmt.Printf("afterwards: %d descriptors, before %d; %.1f MiB\n", left, before, memory(t.pid)/(1<<20))
	if left > before+moreDescriptors {
		return errors.New("descriptors were left behind")
	}
	return nil
}

// hold opens n connections, over each of which a byte has gone both ways.
func (b *bed) hold(address string, n int) (all []net.Conn, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				c, derr := net.Dial("tcp", address)
				if derr == nil {
					_ = c.SetDeadline(time.Now().Add(time.Minute))
					if _, derr = c.Write([]byte{'E'}); derr == nil {
						_, derr = io.ReadFull(c, make([]byte, 1))
					}
					_ = c.SetDeadline(time.Time{})
				}
				mu.Lock()
				if c != nil {
					all = append(all, c)
				}
				failed := err != nil || derr != nil
				if err == nil {
					err = derr
				}
				mu.Unlock()
				if failed {
					return
				}
			}
		})
	}
	wg.Wait()
	return all, err
}

// storm lets bad clients loose, and asks as a good one meanwhile.
func (b *bed) storm(address string) (asked int, longest time.Duration, err error) {
	s := &storm{address: address}
	s.begin()
	for end := time.Now().Add(storming); time.Now().Before(end) && err == nil; asked++ {
		begun := time.Now()
		c, derr := b.dial(address)
		if derr != nil {
			err = fmt.Errorf("another client noticed: %w", derr)
			break
		}
		c.NetConn().Close()
		longest = max(longest, time.Since(begun))
	}
	s.over.Store(true)
	s.running.Wait()
	return asked, longest, err
}

// storm is bad clients.
type storm struct {
	address string
	over    atomic.Bool
	running sync.WaitGroup
}

func (s *storm) begin() {
	s.clients(loris, func(c *net.TCPConn) { // a ClientHello of 16 KiB, a byte at a time
		for _, x := range append([]byte{0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb}, make([]byte, 1<<14)...) {
			if _, err := c.Write([]byte{x}); err != nil || s.over.Load() {
				return
			}
			time.Sleep(200 * time.Millisecond)
		}
	})
	s.clients(silent, func(c *net.TCPConn) { // more than may wait without a word
		s.rest(c)
		time.Sleep(2 * time.Second)
	})
	s.clients(4, func(c *net.TCPConn) { // reset at once, 1,000 a second
		_ = c.SetLinger(0)
		time.Sleep(4 * time.Millisecond)
	})
	s.clients(4, func(c *net.TCPConn) { // 200 a second in the middle of a ClientHello
		_ = c.SetLinger(0)
		_, _ = c.Write([]byte{0x16, 3, 1})
		time.Sleep(20 * time.Millisecond)
	})
	s.clients(50, func(c *net.TCPConn) { // half closed, and never read
		_, _ = c.Write([]byte{'E'})
		_ = c.CloseWrite()
		s.rest(c)
	})
	s.clients(8, func(c *net.TCPConn) { // a ClientHello over 16 KiB
		_, _ = c.Write(append([]byte{0x16, 3, 1, 0x40, 0, 1, 2, 0, 0}, make([]byte, 1<<14)...))
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = c.Read(make([]byte, 1))
	})
}

// clients connect again and again until all is over.
func (s *storm) clients(n int, f func(*net.TCPConn)) {
	for range n {
		s.running.Go(func() {
			for !s.over.Load() {
				c, err := net.Dial("tcp", s.address)
				if err != nil {
					time.Sleep(10 * time.Millisecond)
					continue
				}
				f(c.(*net.TCPConn))
				c.Close()
			}
		})
	}
}

// rest returns when the connection is ended, or all is over.
func (s *storm) rest(c *net.TCPConn) {
	for !s.over.Load() {
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
	}
}
