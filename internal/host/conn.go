package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// conn is one SSH connection, with a limit on its sessions. It ends for good
// when it breaks; sshHost makes the next.
type conn struct {
	client *ssh.Client
	wire   *wire
	slots  chan struct{} // one token a running session
	life   context.Context
	end    context.CancelFunc // life ends with the connection
	// noForward is set once sshd has refused to forward.
	noForward atomic.Bool
}

// connect dials and logs in, through the jump host when there is one.
func connect(ctx context.Context, c Config) (*conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.AfterFunc(c.ConnectTimeout, cancel)
	defer timer.Stop()

	methods, agent, err := credentials(c)
	if err != nil {
		return nil, err
	}
	defer agent.Close()
	var asking, asked atomic.Bool // a person, about the host's key
	keys, err := newHostKeys(c, func() { timer.Stop(); asking.Store(true); asked.Store(true) },
		func() { timer.Reset(c.ConnectTimeout); asking.Store(false) })
	if err != nil {
		return nil, err
	}
	algos, err := keys.algorithms(c.addr())
	if err != nil {
		return nil, err
	}
	raw, err := dialWire(ctx, c)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: raw, ack: quickAck(raw)}
	w.heard.Store(time.Now().UnixNano())
	begun := time.Now()
	ctx, hush := c.Pace.attentive(ctx, func() time.Time {
		if asking.Load() {
			w.heard.Store(time.Now().UnixNano())
		}
		return time.Unix(0, w.heard.Load())
	})
	defer hush()
	stop := context.AfterFunc(ctx, func() { w.Close() })
	sc, chans, reqs, err := ssh.NewClientConn(w, c.addr(), &ssh.ClientConfig{
		User: c.User, Auth: methods, HostKeyCallback: keys.check, HostKeyAlgorithms: algos,
	})
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		w.Close()
		return nil, explain(ctx, c, err)
	}
	if !asked.Load() {
		c.Pace.loggedIn(time.Since(begun))
	}
	n := &conn{
		client: ssh.NewClient(sc, chans, reqs), wire: w,
		slots: make(chan struct{}, c.test.sessions),
	}
	n.life, n.end = context.WithCancel(context.Background())
	go func() {
		n.client.Wait()
		n.close()
	}()
	go n.keepAlive(c.KeepAlive)
	return n, nil
}

// dialWire opens the TCP connection, ours or the jump host's. That is answered
// by the kernel, however busy the host is: who is silent is down, or far away.
func dialWire(ctx context.Context, c Config) (net.Conn, error) {
	if c.Jump == "" {
		ctx, cancel := c.Pace.limit(ctx, c.DialTimeout)
		defer cancel()
		begun := time.Now()
		raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.addr())
		if err != nil {
			return nil, c.unreachable("connect to %s: %w: check that it is up, and ssh.address and ssh.port", c.addr(), firstErr(err, ctx))
		}
		c.Pace.took(time.Since(begun))
		return raw, nil
	}
	jc, err := c.jump()
	if err != nil {
		return nil, err
	}
	j, err := connect(ctx, jc)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.Pace.limit(ctx, c.DialTimeout)
	defer cancel()
	begun := time.Now()
	raw, err := j.client.DialContext(ctx, "tcp", c.addr())
	if err != nil {
		j.close()
		return nil, c.unreachable("connect to %s from jump host %s: %w: try it there with nc -z %s %d",
			c.addr(), c.Jump, firstErr(err, ctx), c.Address, c.Port)
	}
	c.Pace.took(time.Since(begun))
	return jumped{raw, j}, nil
}

// jumped ends the connection to the jump host with the one through it.
type jumped struct {
	net.Conn
	via *conn
}

func (j jumped) Close() error {
	err := j.Conn.Close()
	j.via.close()
	return err
}

// unreachable is an error of a host that no connection could be made to.
func (c Config) unreachable(format string, args ...any) error {
	return &Error{c.Name, fmt.Errorf(format, args...), unreachable{c.of}}
}

func firstErr(err error, ctx context.Context) error {
	if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("no answer in time")
	}
	return err
}

// explain turns a failed handshake into what to do about it.
func explain(ctx context.Context, c Config, err error) error {
	err = reported{err}
	switch {
	case errors.Is(err, errHostKey):
		return Errorf(c.Name, "%w", err)
	case strings.Contains(err.Error(), "unable to authenticate"):
		return Errorf(c.Name, "%s refused user %s: %w: try ssh -p %d %s@%s, then set ssh.user and ssh.keyFile to what works",
			c.addr(), c.User, err, c.Port, c.User, c.Address)
	case ctx.Err() != nil:
		err = errors.New("no answer in time")
	}
	return c.unreachable("ssh handshake with %s: %w: is it an SSH server?", c.addr(), err)
}

func (c *conn) alive() bool { return c.life.Err() == nil }

// close breaks the connection; what runs over it fails.
func (c *conn) close() {
	c.end()
	c.wire.Close()
	c.client.Close()
}

// wire remembers when something was last heard. A busy peer that answers no
// keep-alive behind a full queue still sends window updates, so it counts as
// alive.
type wire struct {
	net.Conn
	ack   func() // what was read
	heard atomic.Int64
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.ack()
	if n > 0 {
		w.heard.Store(time.Now().UnixNano())
	}
	return n, err
}

// keepAlive asks in every interval and closes the connection after three
// without a byte from the peer.
func (c *conn) keepAlive(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var asking atomic.Bool
	for {
		select {
		case <-c.life.Done():
			return
		case <-tick.C:
		}
		if time.Since(time.Unix(0, c.wire.heard.Load())) > 3*every {
			c.close()
			return
		}
		if asking.CompareAndSwap(false, true) {
			go func() {
				c.client.SendRequest("keepalive@openssh.com", true, nil)
				asking.Store(false)
			}()
		}
	}
}

// session opens one, when there is room for it.
func (c *conn) session(ctx context.Context) (*ssh.Session, error) {
	select {
	case c.slots <- struct{}{}:
	case <-c.life.Done():
		return nil, errEnded
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		s, err := opened(ctx, c, c.client.NewSession, func(s *ssh.Session) { s.Close() })
		var refused *ssh.OpenChannelError
		if err == nil {
			return s, nil
		}
		// sshd may allow fewer sessions than we do: wait for one of ours to end.
		if !errors.As(err, &refused) || len(c.slots) <= 1 {
			c.release()
			return nil, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			c.release()
			return nil, ctx.Err()
		}
	}
}

func (c *conn) release() { <-c.slots }

var errEnded = errors.New("connection ended")

// opened is await for opening a channel, which x/crypto never ends when the
// connection breaks at the same moment.
func opened[T any](ctx context.Context, c *conn, f func() (T, error), discard func(T)) (T, error) {
	both, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	v, err := await(both, f, discard)
	if err != nil && ctx.Err() == nil && both.Err() != nil {
		err = errEnded
	}
	return v, err
}

// until is ctx until one of the channels is closed.
func until(ctx context.Context, closed ...<-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	for _, c := range closed {
		go func() {
			select {
			case <-c:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	return ctx, cancel
}

// await runs f but waits for it no longer than ctx; a late result is discarded.
func await[T any](ctx context.Context, f func() (T, error), discard func(T)) (T, error) {
	type result struct {
		v   T
		err error
	}
	ch := make(chan result, 1)
	go func() {
		v, err := f()
		ch <- result{v, err}
	}()
	select {
	case r := <-ch:
		return r.v, r.err
	case <-ctx.Done():
		go func() {
			if r := <-ch; r.err == nil {
				discard(r.v)
			}
		}()
		var zero T
		return zero, ctx.Err()
	}
}
