package config

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Checksums of VRRP over IPv4.
const (
	KeepalivedChecksum = "keepalived" // with the pseudo-header of RFC 5798
	RFCChecksum        = "rfc"        // without, as RFC 9568 wants it
)

// VIP is a virtual router: addresses that one of several hosts holds.
type VIP struct {
	Interface string `yaml:"interface"`
	VRID      int    `yaml:"vrid"` // 1 to 255, one for each address family of a network
	// Addresses with their prefixes, all of one family.
	Addresses []string `yaml:"addresses"`
	// Priority: the highest holds the addresses. 16 to 254, 255 is the owner of
	// the address; default 100. Without a way to a server it falls below 16.
	Priority int `yaml:"priority,omitempty"`
	// Preempt takes the addresses back from a router of lower priority.
	Preempt bool `yaml:"preempt,omitempty"`
	// Advert is the time between two advertisements: 10 ms to 1 s in steps of
	// 10 ms; default 100ms.
	Advert Duration `yaml:"advert,omitempty"`
	// Source is the address that they come from; default: the interface's first,
	// for IPv6 by multicast its link-local one.
	Source string `yaml:"source,omitempty"`
	// Peers are the other routers' sources. Without any, adverts are multicast
	// and anybody on the network is believed.
	Peers []string `yaml:"peers,omitempty"`
	// Checksum of adverts over IPv4: keepalived (default) or rfc. Both are taken.
	Checksum string `yaml:"checksum,omitempty"`
	// Way names the way whose backends make this host fit; default: the first.
	Way string `yaml:"way,omitempty"`
}

const (
	minAdvert  = 10 * time.Millisecond
	maxAdvert  = time.Second
	advertStep = 10 * time.Millisecond
	maxVIPs    = 20 // keepalived sends so many at most
)

func (v VIP) withDefaults(ways []Way) VIP {
	if v.Priority == 0 {
		v.Priority = 100
	}
	if v.Checksum == "" {
		v.Checksum = KeepalivedChecksum
	}
	if v.Way == "" && len(ways) > 0 {
		v.Way = ways[0].Name
	}
	set(&v.Advert, 100*time.Millisecond)
	return v
}

// Prefixes are the addresses.
func (v VIP) Prefixes() (out []netip.Prefix) {
	for _, a := range v.Addresses {
		if p, err := netip.ParsePrefix(a); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// VirtualAddresses are those of all virtual routers.
func (f File) VirtualAddresses() (out []netip.Addr) {
	for _, v := range f.VIPs {
		for _, p := range v.Prefixes() {
			out = append(out, p.Addr())
		}
	}
	return out
}

// SameRouter says that both are the same virtual router on the same interface
// with the same addresses, so that one can go on as the other.
func (v VIP) SameRouter(o VIP) bool {
	return v.Interface == o.Interface && v.VRID == o.VRID && slices.Equal(v.Prefixes(), o.Prefixes())
}

func (f File) validateVIPs(p *problems) {
	routers, addresses := map[string]string{}, map[netip.Addr]string{}
	for i, v := range f.VIPs {
		place := fmt.Sprintf("vips[%d]", i)
		v.validate(p, place)
		if !slices.ContainsFunc(f.Ways, func(w Way) bool { return w.Name == v.Way }) {
			p.add(place+".way", "%q is the name of no way", v.Way)
		}
		for _, x := range v.Prefixes() {
			if other, is := addresses[x.Addr()]; is {
				p.add(place+".addresses", "%s is also an address of %s", x.Addr(), other)
			}
			addresses[x.Addr()] = place
			key := fmt.Sprint(v.Interface, v.VRID, x.Addr().Is4())
			if other, is := routers[key]; is && other != place {
				p.add(place+".vrid", "%d is taken on %s by %s", v.VRID, v.Interface, other)
			}
			routers[key] = place
		}
	}
}

func (v VIP) validate(p *problems, place string) {
	if v.Interface == "" || len(v.Interface) > 15 || !printable(v.Interface) {
		p.add(place+".interface", "%q is not the name of an interface", v.Interface)
	}
	if v.VRID < 1 || v.VRID > 255 {
		p.add(place+".vrid", "%d is not between 1 and 255", v.VRID)
	}
	if v.Priority < 16 || v.Priority > 255 {
		p.add(place+".priority", "%d is not between 16 and 255; below that are hosts without a way to a server", v.Priority)
	}
	within(p, place+".advert", v.Advert, minAdvert, maxAdvert)
	if v.Advert.Std()%advertStep != 0 {
		p.add(place+".advert", "%v is no multiple of %v, in which VRRP counts", v.Advert.Std(), advertStep)
	}
	if v.Checksum != KeepalivedChecksum && v.Checksum != RFCChecksum {
		p.add(place+".checksum", "%q is neither %s nor %s", v.Checksum, KeepalivedChecksum, RFCChecksum)
	}
	v.validateAddresses(p, place)
}

func (v VIP) validateAddresses(p *problems, place string) {
	if n := len(v.Addresses); n < 1 || n > maxVIPs {
		p.add(place+".addresses", "there are %d; 1 to %d may be", n, maxVIPs)
		return
	}
	var four, six bool
	for i, a := range v.Addresses {
		x, err := netip.ParsePrefix(a)
		if at := x.Addr(); err != nil || !usable(at) {
			p.add(fmt.Sprintf("%s.addresses[%d]", place, i), "%q is not an IP address with its prefix, as 10.0.0.100/24", a)
		} else {
			four, six = four || at.Is4(), six || at.Is6()
		}
	}
	if four && six {
		p.add(place+".addresses", "IPv4 and IPv6 are two virtual routers; next: write two entries, which may have the same vrid")
	}
	seen := map[netip.Addr]bool{}
	check := func(at, a string) {
		x, err := netip.ParseAddr(a)
		switch {
		case err != nil || !usable(x):
			p.add(at, "%q is not an IP address", a)
		case x.Is4() != four:
			p.add(at, "%s is of another family than the addresses", a)
		case seen[x]:
			p.add(at, "%s is there twice; source and peers are different hosts", a)
		case slices.ContainsFunc(v.Prefixes(), func(p netip.Prefix) bool { return p.Addr() == x }):
			p.add(at, "%s is the virtual address itself; write the host's own", a)
		}
		seen[x] = true
	}
	if v.Source != "" {
		check(place+".source", v.Source)
	}
	for i, a := range v.Peers {
		check(fmt.Sprintf("%s.peers[%d]", place, i), a)
	}
}

func usable(a netip.Addr) bool {
	return a.IsValid() && a.Zone() == "" && !a.Is4In6() && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast()
}

func printable(s string) bool {
	return !slices.ContainsFunc([]rune(s), func(r rune) bool { return r <= ' ' || r > '~' || r == '/' })
}
