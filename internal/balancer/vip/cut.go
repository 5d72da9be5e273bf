package vip

import (
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// mostCut is how long the addresses wait for connections to be cut.
const mostCut = 100 * time.Millisecond

// States of TCP connections that nothing can be done about (include/net/tcp_states.h).
const tcpTimeWait, tcpListen = 6, 10

// cut resets the TCP connections through addresses that are about to leave this host
// (sock_diag(7): SOCK_DESTROY). Else a client that waits for an answer would wait until
// its own time-out: it has nothing to send that the next host could refuse. What the
// kernel does not do stays undone: the addresses leave anyway. IPv4 only.
func cut(all []netip.Prefix) (n int) {
	end := time.Now().Add(mostCut)
	sockets, err := netlink.SocketDiagTCP(unix.AF_INET)
	if err != nil {
		return 0
	}
	for _, s := range sockets {
		if s.State == tcpListen || s.State == tcpTimeWait || !among(all, address(s.ID.Source)) {
			continue
		}
		if time.Now().After(end) {
			break
		}
		local := &net.TCPAddr{IP: s.ID.Source, Port: int(s.ID.SourcePort)}
		if netlink.SocketDestroy(local, &net.TCPAddr{IP: s.ID.Destination, Port: int(s.ID.DestinationPort)}) == nil {
			n++
		}
	}
	return n
}
