// Package relay moves bytes between two TCP sockets: non-blocking sockets on
// Go's netpoll, pooled buffers that are held only while there is something to
// move, and splice(2) for streams.
//
// It knows nothing of backends, checks or configuration.
package relay

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Sock is a connected TCP socket. It is an os.File and not a net.TCPConn since
// that costs fewer system calls and less memory per connection.
type Sock struct {
	file *os.File
	raw  syscall.RawConn
}

// newSock takes the descriptor over, which must be non-blocking.
func newSock(fd int) (*Sock, error) {
	s := &Sock{file: os.NewFile(uintptr(fd), "tcp")}
	if s.file == nil {
		return nil, os.ErrInvalid
	}
	raw, err := s.file.SyscallConn()
	if err != nil {
		s.file.Close()
		return nil, err
	}
	s.raw = raw
	return s, nil
}

// Close ends the connection in order: what was written is still delivered.
func (s *Sock) Close() { s.file.Close() }

// Reset ends it at once; the other side sees that it broke.
func (s *Sock) Reset() {
	s.control(func(fd int) { resetFd(fd) })
	s.file.Close()
}

// resetFd makes the coming close send RST.
func resetFd(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

func (s *Sock) control(f func(fd int)) { _ = s.raw.Control(func(fd uintptr) { f(int(fd)) }) }

// shut says that nothing more will be written.
func (s *Sock) shut() { s.control(func(fd int) { _ = unix.Shutdown(fd, unix.SHUT_WR) }) }

// SetDeadline bounds reading and writing; the zero time takes the bound away.
func (s *Sock) SetDeadline(t time.Time) { _ = s.file.SetDeadline(t) }

// Addresses are the remote and the local end.
func (s *Sock) Addresses() (remote, local netip.AddrPort) {
	s.control(func(fd int) {
		if sa, err := unix.Getpeername(fd); err == nil {
			remote = fromSockaddr(sa)
		}
		if sa, err := unix.Getsockname(fd); err == nil {
			local = fromSockaddr(sa)
		}
	})
	return remote, local
}

// ReadPooled reads once, into a buffer that is taken when there is something
// to read; the caller calls Give with it. At the end of the stream it is nil.
func (s *Sock) ReadPooled() (b []byte, err error) {
	var errno syscall.Errno
	err = s.raw.Read(func(fd uintptr) bool {
		var n int
		b = take()
		if n, errno = read(fd, b); errno != 0 || n == 0 {
			give(b)
			b = nil
			return errno != unix.EAGAIN
		}
		b = b[:n]
		return true
	})
	return b, first(err, errno)
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
	var errno syscall.Errno
	err = s.raw.Write(func(fd uintptr) bool {
		for written < len(b) {
			var n int
			if n, errno = write(fd, b[written:]); errno != 0 {
				return errno != unix.EAGAIN
			}
			written += n
		}
		return true
	})
	return written, first(err, errno)
}

func first(err error, errno syscall.Errno) error {
	switch {
	case err != nil:
		return err
	case errno != 0:
		return errno
	}
	return nil
}

// Dial begins a connection. Connect waits for it.
func Dial(to netip.AddrPort) (*Sock, error) {
	sa, family := sockaddr(to)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err := unix.Connect(fd, sa); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		unix.Close(fd)
		return nil, fmt.Errorf("connect: %w", err)
	}
	return newSock(fd)
}

// Connect waits until the connection stands or has failed, or the deadline is
// over; after that it may be called again.
func (s *Sock) Connect(to netip.AddrPort) error {
	sa, _ := sockaddr(to)
	var last error
	err := s.raw.Write(func(fd uintptr) bool {
		// Only connect itself tells for certain, and a callback that returned
		// false without a system call could miss the one wake-up.
		last = unix.Connect(int(fd), sa)
		if errors.Is(last, unix.EISCONN) {
			last = nil
		}
		return !errors.Is(last, unix.EALREADY) && !errors.Is(last, unix.EINPROGRESS) && !errors.Is(last, unix.EINTR)
	})
	if err != nil {
		return err
	}
	return last
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
