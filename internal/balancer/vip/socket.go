package vip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/vrrp"
)

// socket sends and receives adverts on one interface. It is bound to the
// interface, so that what comes over others is not heard.
type socket struct {
	four  *ipv4.PacketConn
	six   *ipv6.PacketConn
	conn  net.PacketConn
	index int
	local netip.Addr
	to    []netip.Addr
	sum   vrrp.Checksum
}

// openSocket opens it on an interface. Adverts come from local.
func openSocket(index int, v config.VIP, local netip.Addr) (*socket, error) {
	s := &socket{index: index, local: local}
	group, network, any := vrrp.Group4, "ip4:112", "0.0.0.0"
	if local.Is6() {
		group, network, any = vrrp.Group6, "ip6:112", "::"
	}
	s.use(v, group)
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = os.NewSyscallError("bind to "+v.Interface, unix.BindToDevice(int(fd), v.Interface))
		})
		return errors.Join(err, failed)
	}}
	var err error
	if s.conn, err = lc.ListenPacket(context.Background(), network, any); err != nil {
		return nil, fmt.Errorf("open a socket for VRRP: %w; next: give the process CAP_NET_RAW and CAP_NET_ADMIN", err)
	}
	iface := &net.Interface{Index: index, Name: v.Interface}
	at := &net.IPAddr{IP: group.AsSlice()}
	if local.Is4() {
		s.four = ipv4.NewPacketConn(s.conn)
		err = errors.Join(s.four.SetControlMessage(ipv4.FlagTTL|ipv4.FlagDst, true), s.four.SetTTL(vrrp.Hops),
			s.four.SetMulticastTTL(vrrp.Hops), s.four.SetMulticastLoopback(false), s.four.SetMulticastInterface(iface), s.four.JoinGroup(iface, at))
	} else {
		s.six = ipv6.NewPacketConn(s.conn)
		err = errors.Join(s.six.SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst, true), s.six.SetHopLimit(vrrp.Hops),
			s.six.SetMulticastHopLimit(vrrp.Hops), s.six.SetMulticastLoopback(false), s.six.SetMulticastInterface(iface), s.six.JoinGroup(iface, at))
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("set up the socket for VRRP: %w", err)
	}
	return s, nil
}

// use takes to whom and how adverts are sent.
func (s *socket) use(v config.VIP, group netip.Addr) {
	s.to, s.sum = []netip.Addr{group}, vrrp.WithPseudoHeader
	if v.Checksum == config.RFCChecksum {
		s.sum = vrrp.MessageOnly
	}
	if len(v.Peers) > 0 {
		s.to = addresses(v.Peers)
	}
}

// send sends an advert to all who shall hear it.
func (s *socket) send(a vrrp.Advert) error {
	var failed []error
	for _, to := range s.to {
		b := a.Marshal(s.local, to, s.sum)
		var err error
		if s.four != nil {
			_, err = s.four.WriteTo(b, &ipv4.ControlMessage{Src: s.local.AsSlice(), IfIndex: s.index}, &net.IPAddr{IP: to.AsSlice()})
		} else {
			_, err = s.six.WriteTo(b, &ipv6.ControlMessage{Src: s.local.AsSlice(), IfIndex: s.index}, &net.IPAddr{IP: to.AsSlice()})
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("advert to %s: %w", to, err))
		}
	}
	return errors.Join(failed...)
}

// receive waits for a packet. Its data are in b.
func (s *socket) receive(b []byte) (packet, error) {
	var n int
	var from net.Addr
	var to net.IP
	var err error
	p := packet{hops: -1}
	if s.four != nil {
		var cm *ipv4.ControlMessage
		if n, cm, from, err = s.four.ReadFrom(b); cm != nil {
			p.hops, to = cm.TTL, cm.Dst
		}
	} else {
		var cm *ipv6.ControlMessage
		if n, cm, from, err = s.six.ReadFrom(b); cm != nil {
			p.hops, to = cm.HopLimit, cm.Dst
		}
	}
	if err != nil {
		return p, err
	}
	if ip, is := from.(*net.IPAddr); is {
		p.from = address(ip.IP)
	}
	p.to, p.data = address(to), b[:n]
	return p, nil
}

func (s *socket) close() { s.conn.Close() }

func address(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

func addresses(all []string) (out []netip.Addr) {
	for _, s := range all {
		if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, a)
		}
	}
	return out
}
