package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

var (
	request = []byte("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	answer  = []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
)

// serveBackends answers TLS with small HTTP answers. A connection that begins
// with 'B' and eight bytes of a number gets so many bytes, not encrypted; one
// that begins with 'E' is answered with its first byte and left open.
func serveBackends(dir string) error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		return err
	}
	secured := &tls.Config{Certificates: []tls.Certificate{pair}, SessionTicketsDisabled: true, NextProtos: []string{"http/1.1"}}
	var failed = make(chan error)
	for range backends {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		fmt.Println(l.Addr())
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					failed <- err
					return
				}
				go serveOne(c, secured)
			}
		}()
	}
	return <-failed
}

func serveOne(c net.Conn, secured *tls.Config) {
	defer c.Close()
	var first [1]byte
	if _, err := io.ReadFull(c, first[:]); err != nil {
		return
	}
	switch first[0] {
	case 'B':
		var n uint64
		if binary.Read(c, binary.BigEndian, &n) == nil {
			chunk := make([]byte, 256<<10)
			for sent := uint64(0); sent < n; sent += uint64(len(chunk)) {
				if _, err := c.Write(chunk); err != nil {
					return
				}
			}
		}
		return
	case 'E':
		if _, err := c.Write(first[:]); err == nil {
			_, _ = io.Copy(io.Discard, c)
		}
		return
	}
	t := tls.Server(&replayed{c, first[:]}, secured)
	b := make([]byte, 4096)
	for n := 0; ; {
		m, err := t.Read(b[n:])
		if err != nil || n+m == len(b) {
			return
		}
		if n += m; bytes.HasSuffix(b[:n], []byte("\r\n\r\n")) {
			if _, err := t.Write(answer); err != nil {
				return
			}
			n = 0
		}
	}
}

type replayed struct {
	net.Conn
	first []byte
}

func (r *replayed) Read(b []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(b, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}

// dial makes a TLS connection and one request over it.
func (b *bed) dial(address string) (*tls.Conn, error) {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	t := tls.Client(c, &tls.Config{RootCAs: b.certs.Pool, ServerName: "127.0.0.1", NextProtos: []string{"http/1.1"}})
	if err := ask(t); err != nil {
		c.Close()
		return nil, err
	}
	return t, nil
}

func ask(t *tls.Conn) error {
	if _, err := t.Write(request); err != nil {
		return err
	}
	var b [64]byte
	_, err := io.ReadFull(t, b[:len(answer)])
	return err
}

// during runs f in so many goroutines until the time is over, and returns how
// often it succeeded.
func during(d time.Duration, workers int, f func(worker int) error) (int64, error) {
	var n atomic.Int64
	var failed atomic.Value
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for end := time.Now().Add(d); time.Now().Before(end) && failed.Load() == nil; n.Add(1) {
				if err := f(i); err != nil {
					failed.Store(err)
				}
			}
		})
	}
	wg.Wait()
	err, _ := failed.Load().(error)
	return n.Load(), err
}

func (b *bed) measure(o options, t target) (f figures, err error) {
	f.rss = memory(t.pid) / (1 << 20)
	d := o.duration()
	begun, worked := time.Now(), cpu(t.pid)
	n, err := during(d, 8, func(int) error {
		c, err := b.dial(t.address)
		if err == nil {
			err = c.NetConn().Close()
		}
		return err
	})
	if err != nil {
		return f, fmt.Errorf("new connections: %w", err)
	}
	f.handshakes = float64(n) / time.Since(begun).Seconds()
	f.cpuHandshake = micros(cpu(t.pid)-worked) / float64(n)

	conns := make([]*tls.Conn, 32)
	for i := range conns {
		if conns[i], err = b.dial(t.address); err != nil {
			return f, err
		}
		defer conns[i].NetConn().Close()
	}
	begun, worked = time.Now(), cpu(t.pid)
	if n, err = during(d, len(conns), func(i int) error { return ask(conns[i]) }); err != nil {
		return f, fmt.Errorf("requests: %w", err)
	}
	f.requests = float64(n) / time.Since(begun).Seconds()
	f.cpuRequest = micros(cpu(t.pid)-worked) / float64(n)
	if f.latency, err = latency(conns[0], d); err != nil {
		return f, err
	}
	if f.cpuSeldom, err = seldom(t, conns, d); err != nil {
		return f, err
	}
	if err := b.bulk(t, &f); err != nil {
		return f, fmt.Errorf("stream: %w", err)
	}
	f.idle, err = b.idle(t, o.idle)
	return f, err
}

func micros(d time.Duration) float64 { return float64(d) / 1e3 }

func latency(c *tls.Conn, d time.Duration) (float64, error) {
	var all []time.Duration
	for end := time.Now().Add(d); time.Now().Before(end); {
		begun := time.Now()
		if err := ask(c); err != nil {
			return 0, err
		}
		all = append(all, time.Since(begun))
	}
	slices.Sort(all)
	return micros(all[len(all)/2]), nil
}

// seldom is the balancer's CPU for a request where there are a hundred a second, in
// µs: a cluster is idle for most of its life. The checks of that time are in it.
func seldom(t target, conns []*tls.Conn, d time.Duration) (float64, error) {
	const pause = 10 * time.Millisecond
	n, worked := 0, cpu(t.pid)
	for end := time.Now().Add(max(d, 5*time.Second)); time.Now().Before(end); n++ {
		if err := ask(conns[n%len(conns)]); err != nil {
			return 0, err
		}
		time.Sleep(pause)
	}
	return micros(cpu(t.pid)-worked) / float64(n), nil
}

const gigabytes = 4

func (b *bed) bulk(t target, f *figures) error {
	c, err := net.Dial("tcp", t.address)
	if err != nil {
		return err
	}
	defer c.Close()
	begun, worked := time.Now(), cpu(t.pid)
	if _, err := c.Write(binary.BigEndian.AppendUint64([]byte{'B'}, gigabytes<<30)); err != nil {
		return err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{bufio.NewReaderSize(c, 1<<20)}, make([]byte, 1<<20))
	if err == nil && n != gigabytes<<30 {
		err = errors.New("it ended early")
	}
	f.rate = gigabytes / time.Since(begun).Seconds()
	f.cpuGB = (cpu(t.pid) - worked).Seconds() / gigabytes
	return err
}

// idle is the memory of a balancer for each idle connection, in KiB.
func (b *bed) idle(t target, n int) (float64, error) {
	if t.pid == 0 || n == 0 {
		return 0, nil
	}
	time.Sleep(time.Second)
	before := memory(t.pid)
	conns := make([]*tls.Conn, n)
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.NetConn().Close()
			}
		}
	}()
	var wg sync.WaitGroup
	var failed atomic.Value
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				var err error
				if conns[i], err = b.dial(t.address); err != nil {
					failed.Store(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err, is := failed.Load().(error); is {
		return 0, fmt.Errorf("idle connections: %w", err)
	}
	time.Sleep(3 * time.Second)
	return (memory(t.pid) - before) / 1024 / float64(n), nil
}
