package vip

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate.dev/quorate/internal/balancer/config"
)

// put sets an address on an interface; one that is there stays. An IPv6 address
// is not asked for on the network by the kernel (the probe and VRRP do that), and
// is deprecated: it takes connections, and the host's own never come from it.
func put(index int, p netip.Prefix) error {
	a := &netlink.Addr{IPNet: ipNet(p)}
	if p.Addr().Is6() {
		a.Flags, a.ValidLft, a.PreferedLft = unix.IFA_F_NODAD, math.MaxInt32, 0
	}
	err := netlink.AddrReplace(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: index}}, a)
	if err != nil {
		return fmt.Errorf("set the address %s: %w", p, err)
	}
	return nil
}

// takeOff removes addresses from whatever interface has them, with the connections
// through them, and returns those that were there.
func takeOff(all []netip.Prefix) (there []netip.Prefix, err error) {
	found, err := find(all)
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		cut(all)
	}
	var failed []error
	for _, f := range found {
		if only, err := onlyAddress(f, all); err != nil || only {
			failed = append(failed, err)
			if only {
				failed = append(failed, fmt.Errorf("%s stays: it is the only address of its interface, and so not a virtual one; "+
					"next: give the configuration another one", f.IPNet))
			}
			continue
		}
		err := netlink.AddrDel(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: f.LinkIndex}}, &netlink.Addr{IPNet: f.IPNet})
		if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			failed = append(failed, fmt.Errorf("take off the address %s: %w", f.IPNet, err))
			continue
		}
		there = append(there, prefix(f.IPNet))
	}
	return there, errors.Join(failed...)
}

// find is where addresses are, on all interfaces and whatever their prefixes.
func find(all []netip.Prefix) (out []netlink.Addr, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	there, err := list(0, family(all[0].Addr()))
	if err != nil {
		return nil, err
	}
	for _, a := range there {
		if among(all, address(a.IP)) {
			out = append(out, a)
		}
	}
	return out, nil
}

// onlyAddress says that an interface has no address of the family but these: then
// one of them is the host's own, and without it nobody would reach the host.
func onlyAddress(a netlink.Addr, virtual []netip.Prefix) (bool, error) {
	all, err := list(a.LinkIndex, family(address(a.IP)))
	return err == nil && !slices.ContainsFunc(all, func(o netlink.Addr) bool { return !among(virtual, address(o.IP)) }), err
}

func among(all []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Addr() == a })
}

// list is the addresses of an interface, or of all for 0. A list that changed
// while it was read is read again.
func list(index, family int) (all []netlink.Addr, err error) {
	var link netlink.Link
	if index != 0 {
		link = &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: index}}
	}
	for range 5 {
		if all, err = netlink.AddrList(link, family); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list the addresses of this host: %w", err)
	}
	return all, nil
}

// place is where a virtual router works.
type place struct {
	iface *net.Interface
	local netip.Addr
}

// errNotReady says that the interface is not usable now.
var errNotReady = errors.New("not ready")

// locate finds the interface and the address that adverts come from.
func locate(v config.VIP) (place, error) {
	iface, err := net.InterfaceByName(v.Interface)
	if err != nil {
		return place{}, fmt.Errorf("%w: there is no interface %s", errNotReady, v.Interface)
	}
	if iface.Flags&net.FlagUp == 0 || iface.Flags&net.FlagRunning == 0 {
		return place{}, fmt.Errorf("%w: the interface %s is down", errNotReady, v.Interface)
	}
	virtual := v.Prefixes()
	own, err := list(iface.Index, family(virtual[0].Addr()))
	if err != nil {
		return place{}, err
	}
	var local netip.Addr
	for _, a := range own {
		x := address(a.IP)
		if among(virtual, x) || a.Flags&unix.IFA_F_TENTATIVE != 0 {
			continue
		}
		if suits(v, x) && !local.IsValid() {
			local = x
		}
	}
	if !local.IsValid() {
		what := "an address of its own"
		if v.Source != "" {
			what = "the address " + v.Source
		}
		return place{}, fmt.Errorf("%w: the interface %s does not have %s", errNotReady, v.Interface, what)
	}
	return place{iface, local}, nil
}

// suits says that adverts may come from an address of the interface.
func suits(v config.VIP, a netip.Addr) bool {
	if v.Source != "" {
		return a.String() == v.Source
	}
	if a.Is6() {
		return a.IsLinkLocalUnicast() == (len(v.Peers) == 0)
	}
	return true
}

func family(a netip.Addr) int {
	if a.Is4() {
		return netlink.FAMILY_V4
	}
	return netlink.FAMILY_V6
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func prefix(n *net.IPNet) netip.Prefix {
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(address(n.IP), bits)
}

// TakeOff removes the virtual addresses of a configuration from this host, if
// they are there: for the end of a service, however it ended.
func TakeOff(all []config.VIP) ([]netip.Prefix, error) {
	var there []netip.Prefix
	var failed []error
	for _, v := range all {
		t, err := takeOff(v.Prefixes())
		there, failed = append(there, t...), append(failed, err)
	}
	if err := errors.Join(failed...); err != nil {
		return there, fmt.Errorf("pid %d: %w", os.Getpid(), err)
	}
	return there, nil
}
