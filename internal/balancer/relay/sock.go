// Package relay moves bytes between two TCP sockets: non-blocking sockets on
// epoll loops of its own, pooled buffers that are held only while there is
// something to move, and splice(2) for streams.
//
// It knows nothing of backends, checks or configuration.
package relay

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Sock is a connected TCP socket. One goroutine may use it, and then a Pair; any
// may close it.
type Sock struct {
	loop     *loop
	deadline time.Time // of waiting

	mu     sync.Mutex
	fd     int     // -1 when it is closed
	pair   *Pair   // moves its bytes, once it has one
	waiter *waiter // for the next event
	edge           // until it has a pair
	out    bool    // EPOLLOUT is among its events
}

// edge is what the kernel tells of a socket once, when it changes.
type edge struct {
	readable bool // as far as is known
	last     bool // the end of the stream, or an error, waits to be read
}

func (e *edge) on(event uint32) {
	e.readable = e.readable || event&comes != 0
	e.last = e.last || event&gone != 0
}

// read takes the result of reading into a buffer of most bytes. A short read has
// emptied the socket (epoll(7), question 9): more bytes are a new event, but an
// end that came with these is not.
func (e *edge) read(n, most int, errno syscall.Errno) {
	switch {
	case errno == unix.EAGAIN:
		*e = edge{}
	case n > 0 && n < most:
		e.readable = e.last
	}
}

// waiter is a goroutine that waits for an event.
type waiter struct {
	event chan struct{}
	timer *time.Timer
}

var waiters = sync.Pool{New: func() any {
	w := &waiter{event: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	w.timer.Stop()
	return w
}}

// newSock takes the descriptor over, which must be non-blocking.
func newSock(fd int, on *loop) (*Sock, error) {
	s := &Sock{fd: fd, loop: on}
	if err := on.add(s); err != nil {
		closeFd(fd)
		return nil, fmt.Errorf("watch a connection: %w", err)
	}
	return s, nil
}

// Close ends the connection in order: what was written is still delivered.
func (s *Sock) Close() { s.close(false) }

// Reset ends it at once; the other side sees that it broke.
func (s *Sock) Reset() { s.close(true) }

func (s *Sock) close(reset bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return
	}
	if reset {
		resetFd(s.fd)
	}
	s.loop.remove(s)
	closeFd(s.fd)
	s.fd = -1
	s.wakeLocked()
}

// again makes an event of the socket's state as it is now, and from now on one of
// room to write, too.
func (s *Sock) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.againLocked()
}

func (s *Sock) againLocked() {
	s.out = true
	if s.fd >= 0 {
		_ = unix.EpollCtl(s.loop.epoll, unix.EPOLL_CTL_MOD, s.fd, &unix.EpollEvent{Events: edges | unix.EPOLLOUT, Fd: int32(s.fd)})
	}
}

// full: a write found no room.
func (s *Sock) full() {
	if !s.out {
		s.again()
	}
}

// resetFd makes the coming close send RST.
func resetFd(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// event notes what the kernel tells, unless a pair moves the bytes. waits says
// that a goroutine waited for it.
func (s *Sock) event(event uint32) (p *Pair, waits bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pair != nil {
		return s.pair, false
	}
	s.on(event)
	return nil, s.wakeLocked()
}

// join leaves the socket to a pair, which gets what is known of it.
func (s *Sock) join(p *Pair) edge {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pair = p
	return s.edge
}

func (s *Sock) wakeLocked() bool {
	w := s.waiter
	if w == nil {
		return false
	}
	s.waiter = nil
	w.event <- struct{}{}
	return true
}

// do calls try, which must not block, until it returns something else than
// EAGAIN or the deadline is over. write says that it writes.
func (s *Sock) do(write bool, try func(fd uintptr) syscall.Errno) error {
	var w *waiter
	defer func() {
		if w != nil {
			waiters.Put(w)
		}
	}()
	for {
		s.mu.Lock()
		if s.fd < 0 {
			s.mu.Unlock()
			return os.ErrClosed
		}
		errno := try(uintptr(s.fd))
		if errno != unix.EAGAIN {
			s.mu.Unlock()
			if errno != 0 {
				return errno
			}
			return nil
		}
		if write && !s.out {
			s.againLocked()
		}
		if w == nil {
			w = waiters.Get().(*waiter)
		}
		// An event from here on finds the waiter.
		s.waiter = w
		s.mu.Unlock()
		if err := s.wait(w); err != nil {
			return err
		}
	}
}

func (s *Sock) wait(w *waiter) error {
	if s.deadline.IsZero() {
		<-w.event
		return nil
	}
	w.timer.Reset(time.Until(s.deadline))
	select {
	case <-w.event:
		w.timer.Stop()
		return nil
	case <-w.timer.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiter != w {
		<-w.event // it came just now
		return nil
	}
	s.waiter = nil
	return os.ErrDeadlineExceeded
}

// SetDeadline bounds reading and writing; the zero time takes the bound away.
func (s *Sock) SetDeadline(t time.Time) { s.deadline = t }

// Addresses are the remote and the local end.
func (s *Sock) Addresses() (remote, local netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sa, err := unix.Getpeername(s.fd); err == nil {
		remote = fromSockaddr(sa)
	}
	if sa, err := unix.Getsockname(s.fd); err == nil {
		local = fromSockaddr(sa)
	}
	return remote, local
}

// ReadPooled reads once, into a buffer that is taken when there is something
// to read; the caller calls Give with it. At the end of the stream it is nil.
func (s *Sock) ReadPooled() (b []byte, err error) {
	err = s.do(false, func(fd uintptr) syscall.Errno {
		if !s.readable {
			return unix.EAGAIN
		}
		b = take()
		n, errno := read(fd, b)
		s.read(n, len(b), errno)
		if errno != 0 || n == 0 {
			give(b)
			b = nil
			return errno
		}
		b = b[:n]
		return 0
	})
	return b, err
}

// Give returns a buffer of ReadPooled; nil is none.
func Give(b []byte) {
	if b != nil {
		give(b)
	}
}

// Write writes all of b, and says how much of it when it fails. On a socket
// whose connection does not stand yet it waits for that, or fails as that does.
func (s *Sock) Write(b []byte) (written int, err error) {
	err = s.do(true, func(fd uintptr) syscall.Errno {
		for written < len(b) {
			n, errno := write(fd, b[written:])
			if errno != 0 {
				return errno
			}
			written += n
		}
		return 0
	})
	return written, err
}

// Dial begins a connection beside another, with which it may become a Pair.
// Connect waits for it.
func Dial(to netip.AddrPort, beside *Sock) (*Sock, error) {
	sa, family := sockaddr(to)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err := unix.Connect(fd, sa); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		closeFd(fd)
		return nil, fmt.Errorf("connect: %w", err)
	}
	return newSock(fd, beside.loop)
}

// Connect waits until the connection stands or has failed, or the deadline is
// over; after that it may be called again.
func (s *Sock) Connect(to netip.AddrPort) error {
	sa, _ := sockaddr(to)
	return s.do(true, func(fd uintptr) syscall.Errno {
		switch err := unix.Connect(int(fd), sa); err {
		case nil, unix.EISCONN:
			return 0
		case unix.EALREADY, unix.EINPROGRESS, unix.EINTR:
			return unix.EAGAIN
		default:
			var errno syscall.Errno
			errors.As(err, &errno)
			return errno
		}
	})
}

func sockaddr(a netip.AddrPort) (unix.Sockaddr, int) {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}, unix.AF_INET
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}, unix.AF_INET6
}

func fromSockaddr(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
