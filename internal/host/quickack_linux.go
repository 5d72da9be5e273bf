package host

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// quickAck has Linux acknowledge what it received at once. sshd writes several
// small packets after each other and leaves Nagle's algorithm on until the first
// command, so that a delayed acknowledgement (tcp(7), TCP_QUICKACK) costs every
// login 40 ms. The option does not last: it is set again after each read.
func quickAck(c net.Conn) func() {
	sc, ok := c.(syscall.Conn)
	if !ok { // through a jump host
		return func() {}
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return func() {}
	}
	set := func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) }
	return func() { _ = raw.Control(set) }
}
