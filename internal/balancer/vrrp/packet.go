// Package vrrp is the Virtual Router Redundancy Protocol, version 3 (RFC 9568),
// as values: the packets, and what one router does about them (Machine). It
// opens no sockets, changes no addresses and reads no clock.
package vrrp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// What the RFC fixes.
const (
	Protocol = 112 // of IP
	Hops     = 255 // TTL or hop limit of every packet: it has crossed no router
	// Owner is the priority of the router whose own address it is.
	Owner = 255
	// MaxAddresses bounds what a packet may name. The RFC's field goes to 255;
	// keepalived sends 20 at most.
	MaxAddresses = 32

	version       = 3
	advertisement = 1
	headerSize    = 8
)

// Groups are the multicast addresses of all VRRP routers.
var (
	Group4 = netip.AddrFrom4([4]byte{224, 0, 0, 18})
	Group6 = netip.MustParseAddr("ff02::12")
)

// Advert is an advertisement.
type Advert struct {
	VRID     uint8
	Priority uint8 // 0: its sender gives up
	// Interval is the time between two of them, in steps of 10 ms up to 40.95 s.
	Interval  time.Duration
	Addresses []netip.Addr
}

// Why a packet is dropped. The reasons are labels of a metric, so their texts
// are short and there are few.
var (
	ErrMalformed = errors.New("malformed")
	ErrVersion   = errors.New("another version")
	ErrChecksum  = errors.New("checksum")
	ErrVRID      = errors.New("another virtual router")
)

// Checksum says over what the checksum of IPv4 packets goes.
type Checksum uint8

const (
	// WithPseudoHeader is RFC 5798's, which keepalived 2 sends.
	WithPseudoHeader Checksum = iota
	// MessageOnly is RFC 9568's.
	MessageOnly
)

// Marshal writes the packet that goes from one address to another. For IPv6 the
// checksum always has the pseudo-header.
func (a Advert) Marshal(from, to netip.Addr, sum Checksum) []byte {
	b := make([]byte, headerSize, headerSize+len(a.Addresses)*16)
	b[0], b[1], b[2], b[3] = version<<4|advertisement, a.VRID, a.Priority, byte(len(a.Addresses))
	binary.BigEndian.PutUint16(b[4:], uint16(a.Interval/(10*time.Millisecond))&0x0fff)
	for _, x := range a.Addresses {
		b = append(b, x.AsSlice()...)
	}
	binary.BigEndian.PutUint16(b[6:], checksum(b, from, to, sum == WithPseudoHeader || from.Is6()))
	return b
}

// Parse reads a packet that came from one address to another. IPv4 checksums
// are taken with and without the pseudo-header.
func Parse(b []byte, from, to netip.Addr) (Advert, error) {
	if len(b) < headerSize {
		return Advert{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	if b[0]>>4 != version {
		return Advert{}, fmt.Errorf("%w: %d", ErrVersion, b[0]>>4)
	}
	size := 4
	if from.Is6() {
		size = 16
	}
	n := int(b[3])
	if b[0]&0xf != advertisement || b[1] == 0 || n == 0 || n > MaxAddresses || len(b) != headerSize+n*size {
		return Advert{}, fmt.Errorf("%w: type %d, virtual router %d, %d addresses in %d bytes", ErrMalformed, b[0]&0xf, b[1], n, len(b))
	}
	if checksum(b, from, to, true) != 0 && (from.Is6() || checksum(b, from, to, false) != 0) {
		return Advert{}, ErrChecksum
	}
	a := Advert{VRID: b[1], Priority: b[2], Interval: time.Duration(binary.BigEndian.Uint16(b[4:])&0x0fff) * 10 * time.Millisecond}
	if a.Interval == 0 {
		return Advert{}, fmt.Errorf("%w: no interval", ErrMalformed)
	}
	for i := range n {
		x, _ := netip.AddrFromSlice(b[headerSize+i*size : headerSize+(i+1)*size])
		a.Addresses = append(a.Addresses, x)
	}
	return a, nil
}

// checksum is the Internet checksum; 0 over a packet that holds the right one.
func checksum(b []byte, from, to netip.Addr, pseudo bool) uint16 {
	var sum uint32
	add := func(b []byte) {
		for ; len(b) > 1; b = b[2:] {
			sum += uint32(b[0])<<8 | uint32(b[1])
		}
		if len(b) == 1 {
			sum += uint32(b[0]) << 8
		}
	}
	add(b)
	if pseudo {
		add(from.AsSlice())
		add(to.AsSlice())
		sum += Protocol + uint32(len(b)) // the fields differ in width between IPv4 and IPv6, the sum does not
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
