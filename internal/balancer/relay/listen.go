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

const (
	backlog = 4096
	// The kernel lowers these to its limits. A client that vanished is noticed
	// after a minute, whether it was idle or owed us an answer.
	keepIdle, keepInterval, keepCount = 30, 10, 3
	userTimeout                       = time.Minute
)

// Listener is one of several sockets that share an address (SO_REUSEPORT).
// What is set on it holds for the connections too, so accepting one costs a
// single system call.
type Listener struct {
	file  *os.File
	raw   syscall.RawConn
	spare int // a descriptor to accept with when there is no other
}

// Listen opens a listener. The unspecified IPv6 address takes IPv4 as well,
// where the host has IPv6 at all. An absent address need not be the host's yet: a
// virtual one comes and goes (ip(7): IP_FREEBIND).
func Listen(at netip.AddrPort, absent bool) (*Listener, error) {
	both := at.Addr() == netip.IPv6Unspecified()
	fd, err := open(at, both, absent)
	if errors.Is(err, unix.EAFNOSUPPORT) && both {
		fd, err = open(netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port()), false, absent)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %v: %w", at, err)
	}
	l := &Listener{file: os.NewFile(uintptr(fd), "listener"), spare: spareFd()}
	if l.raw, err = l.file.SyscallConn(); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func open(at netip.AddrPort, both, absent bool) (fd int, err error) {
	sa, family := sockaddr(at)
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, err
	}
	only := 1
	if both {
		only = 0
	}
	if family == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only)
	}
	if absent {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_FREEBIND, 1)) // for both families
	}
	for _, o := range []struct{ level, option, value int }{
		{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1}, {unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1}, {unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepIdle}, {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepInterval},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepCount},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout / time.Millisecond)},
	} {
		err = errors.Join(err, unix.SetsockoptInt(fd, o.level, o.option, o.value))
	}
	if err == nil {
		err = unix.Bind(fd, sa)
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func spareFd() int {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	return fd
}

// Accept calls take for each connection until the listener is closed. A
// connection that no descriptor is left for is reset at once and not left to
// hang in the queue; full is then called.
func (l *Listener) Accept(take func(*Sock), full func(error)) error {
	var failed error
	for {
		err := l.raw.Read(func(fd uintptr) bool {
			failed = l.drain(int(fd), take)
			return failed != nil
		})
		switch {
		case err != nil:
			return err
		case errors.Is(failed, unix.EMFILE), errors.Is(failed, unix.ENFILE):
			full(failed)
			l.refuse()
		default:
			// Out of memory, or a fault of the network on one connection.
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// drain accepts until nothing waits (nil) or accept fails.
func (l *Listener) drain(fd int, take func(*Sock)) error {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch errno {
		case 0:
			on, err := someLoop()
			if err != nil {
				closeFd(int(n))
				return err
			}
			s, err := newSock(int(n), on)
			if err != nil {
				return err
			}
			take(s)
		case unix.EAGAIN:
			return nil
		case unix.ECONNABORTED, unix.EINTR, unix.EPERM:
		default:
			return errno
		}
	}
}

func (l *Listener) refuse() {
	if l.spare < 0 {
		time.Sleep(5 * time.Millisecond)
		l.spare = spareFd()
		return
	}
	unix.Close(l.spare)
	_ = l.raw.Control(func(fd uintptr) {
		n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, fd, 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if errno == 0 {
			resetFd(int(n))
			unix.Close(int(n))
		}
	})
	l.spare = spareFd()
}

// Yield sends new connections to the listeners of another process on the same
// address, if there are any. own is how many listeners this process has there;
// they are the first of the kernel's group, being the oldest. A classic BPF
// program chooses the listener after them; where there is none, the kernel
// falls back to all.
func (l *Listener) Yield(own int) {
	program := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: uint32(own)}}
	_ = l.raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
			&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	})
}

// Address is where it listens.
func (l *Listener) Address() (at netip.AddrPort) {
	_ = l.raw.Control(func(fd uintptr) {
		if sa, err := unix.Getsockname(int(fd)); err == nil {
			at = fromSockaddr(sa)
		}
	})
	return at
}

// Waiting is how many connections nobody has accepted yet.
func (l *Listener) Waiting() (n int) {
	_ = l.raw.Control(func(fd uintptr) {
		// Of a listener the kernel gives the length of its queue here.
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			n = int(info.Unacked)
		}
	})
	return n
}

// Claim undoes a Yield that an earlier process left with the address.
func (l *Listener) Claim() {
	_ = l.raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0)
	})
}

// Close stops listening. Connections that nobody accepted are reset.
func (l *Listener) Close() {
	l.file.Close()
	if l.spare >= 0 {
		unix.Close(l.spare)
		l.spare = -1
	}
}
