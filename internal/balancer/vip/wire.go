package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// segment is the network behind an interface, as frames.
type segment struct {
	mac  net.HardwareAddr
	file *os.File
}

// openSegment opens it for ARP, or for neighbour discovery.
func openSegment(iface *net.Interface, six bool) (*segment, error) {
	if len(iface.HardwareAddr) != 6 {
		return nil, fmt.Errorf("%s is no Ethernet interface", iface.Name)
	}
	kind := uint16(etherARP)
	if six {
		kind = etherIPv6
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w; next: give the process CAP_NET_RAW", err)
	}
	if six {
		// All of IPv6 passes by; only neighbour advertisements are of interest.
		err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, advertisements())
	}
	err = errors.Join(err, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: kind>>8 | kind<<8, Ifindex: iface.Index}))
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind a packet socket to %s: %w", iface.Name, err)
	}
	return &segment{iface.HardwareAddr, os.NewFile(uintptr(fd), "packets of "+iface.Name)}, nil
}

// advertisements lets through what claimIn reads of IPv6.
func advertisements() *unix.SockFprog {
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: at}
	}
	equal := func(value uint32, otherwise uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jf: otherwise}
	}
	program := []unix.SockFilter{
		load(ethernetSize + 6), equal(icmp6, 3),
		load(ethernetSize + ipv6Size), equal(advertise, 1),
		{Code: unix.BPF_RET | unix.BPF_K, K: 256},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	return &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
}

func (s *segment) announce(a netip.Addr) error {
	_, err := s.file.Write(announcement(a, s.mac))
	return err
}

func (s *segment) ask(a netip.Addr) error {
	_, err := s.file.Write(question(a, s.mac))
	return err
}

// receive waits for a claim of somebody else.
func (s *segment) receive(b []byte) (claim, error) {
	for {
		n, err := s.file.Read(b)
		if err != nil {
			return claim{}, err
		}
		if c, is := claimIn(b[:n], s.mac); is {
			return c, nil
		}
	}
}

func (s *segment) close() { s.file.Close() }
