package vip

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
)

// The frames that tell a network who has an address, and ask who has it: ARP
// (RFC 826, RFC 5227) for IPv4, neighbour discovery (RFC 4861) for IPv6.

var (
	broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	nobody    = make(net.HardwareAddr, 6)
)

const (
	etherARP, etherIPv6     = 0x0806, 0x86dd
	solicit, advertise      = 135, 136 // types of ICMPv6
	icmp6                   = 58
	ethernetSize, arpSize   = 14, 28
	ipv6Size, neighbourSize = 40, 24
)

// announcement says to all on the network that an address is at mac.
func announcement(a netip.Addr, mac net.HardwareAddr) []byte {
	if a.Is4() {
		return arp(mac, a, a)
	}
	// To all nodes, with the override flag: entries that exist are changed.
	m := neighbour(advertise, a, 0x20000000, append([]byte{2, 1}, mac...))
	return ethernet6(mac, a, netip.MustParseAddr("ff02::1"), m)
}

// question asks who has an address, in the name of nobody.
func question(a netip.Addr, mac net.HardwareAddr) []byte {
	if a.Is4() {
		return arp(mac, netip.IPv4Unspecified(), a)
	}
	s := a.As16()
	group := [16]byte{0xff, 0x02, 11: 1, 12: 0xff, 13: s[13], 14: s[14], 15: s[15]} // solicited-node multicast
	return ethernet6(mac, netip.IPv6Unspecified(), netip.AddrFrom16(group), neighbour(solicit, a, 0, nil))
}

func arp(mac net.HardwareAddr, sender, target netip.Addr) []byte {
	b := append(append(append([]byte{}, broadcast...), mac...), etherARP>>8, etherARP&0xff)
	b = append(b, 0, 1, 8, 0, 6, 4, 0, 1) // Ethernet, IPv4, request
	b = append(append(b, mac...), sender.AsSlice()...)
	return append(append(b, nobody...), target.AsSlice()...)
}

func neighbour(kind byte, target netip.Addr, flags uint32, option []byte) []byte {
	b := append([]byte{kind, 0, 0, 0}, binary.BigEndian.AppendUint32(nil, flags)...)
	return append(append(b, target.AsSlice()...), option...)
}

func ethernet6(mac net.HardwareAddr, from, to netip.Addr, message []byte) []byte {
	t := to.As16()
	b := append(append([]byte{0x33, 0x33}, t[12:]...), mac...)
	b = append(b, etherIPv6>>8, etherIPv6&0xff, 0x60, 0, 0, 0, 0, byte(len(message)), icmp6, 255)
	b = append(append(b, from.AsSlice()...), to.AsSlice()...)
	binary.BigEndian.PutUint16(message[2:], icmpSum(from, to, message))
	return append(b, message...)
}

func icmpSum(from, to netip.Addr, message []byte) uint16 {
	all := append(append([]byte{}, from.AsSlice()...), to.AsSlice()...)
	all = append(binary.BigEndian.AppendUint32(all, uint32(len(message))), 0, 0, 0, icmp6)
	all = append(all, message...)
	var sum uint32
	for i := 0; i+1 < len(all); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(all[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// claim is somebody's word that an address is theirs.
type claim struct {
	address netip.Addr
	mac     string
}

// claimIn reads a frame. One that claims nothing, or is ours, is none.
func claimIn(frame []byte, own net.HardwareAddr) (claim, bool) {
	if len(frame) < ethernetSize {
		return claim{}, false
	}
	var c claim
	var mac net.HardwareAddr
	switch rest := frame[ethernetSize:]; binary.BigEndian.Uint16(frame[12:]) {
	case etherARP:
		if len(rest) < arpSize || !bytes.Equal(rest[:6], []byte{0, 1, 8, 0, 6, 4}) {
			return claim{}, false
		}
		mac, c.address = net.HardwareAddr(rest[8:14]), address(rest[14:18])
	case etherIPv6:
		if len(rest) < ipv6Size+neighbourSize || rest[6] != icmp6 || rest[7] != 255 || rest[ipv6Size] != advertise {
			return claim{}, false
		}
		mac, c.address = net.HardwareAddr(frame[6:12]), address(rest[ipv6Size+8:ipv6Size+24])
		for option := rest[ipv6Size+neighbourSize:]; len(option) >= 8; {
			n := int(option[1]) * 8
			if n == 0 || n > len(option) {
				break
			}
			if option[0] == 2 { // its link-layer address
				mac = net.HardwareAddr(option[2:8])
			}
			option = option[n:]
		}
	default:
		return claim{}, false
	}
	c.mac = mac.String()
	return c, !bytes.Equal(mac, own) && !c.address.IsUnspecified()
}
