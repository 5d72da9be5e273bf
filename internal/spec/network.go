package spec

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// judgeNetwork checks the ranges, that they are apart, and that they are large
// enough for the hosts.
func judgeNetwork(r *report, c *Cluster) {
	n := c.Spec.Network
	pods, podsOK := ipv4Range(r, "spec.network.podCIDR", n.PodCIDR)
	services, servicesOK := ipv4Range(r, "spec.network.serviceCIDR", n.ServiceCIDR)
	if podsOK && servicesOK && pods.Overlaps(services) {
		r.bad("spec.network.serviceCIDR", "a range of its own", "%s overlaps podCIDR %s", services, pods)
	}
	if servicesOK && (services.Bits() < 12 || services.Bits() > 28) {
		r.bad("spec.network.serviceCIDR", "a size from /12 to /28", "/%d is too %s for services", services.Bits(), tooBig(services.Bits() < 12))
	}
	if podsOK {
		judgeShares(r, c, pods)
	}
	for i, h := range c.Spec.Hosts {
		for _, a := range addresses(item("spec.hosts", i), h) {
			if podsOK && pods.Contains(a.addr) {
				r.bad(a.path, "a podCIDR apart from the hosts' network", "%s lies inside podCIDR %s", a.addr, pods)
			}
			if servicesOK && services.Contains(a.addr) {
				r.bad(a.path, "a serviceCIDR apart from the hosts' network", "%s lies inside serviceCIDR %s", a.addr, services)
			}
		}
	}
	if n.CNI != CNIBridge && n.CNI != CNINone && !isManifest(n.CNI) {
		r.bad("spec.network.cni", "bridge, none or the path of a manifest (.yaml)", "unknown cni %s", shown(n.CNI))
	}
	if !isSubdomain(n.DNSDomain) {
		r.bad("spec.network.dnsDomain", "a DNS name such as cluster.local", "%s is not one", shown(n.DNSDomain))
	}
	judgeNodePorts(r, n.NodePortRange)
}

func tooBig(yes bool) string {
	if yes {
		return "large"
	}
	return "small"
}

// hostAddress is one address of a host, and where it is written.
type hostAddress struct {
	path string
	addr netip.Addr
}

// addresses are the host's addresses that are IPs, each once.
func addresses(path string, h Host) []hostAddress {
	var out []hostAddress
	if a, err := netip.ParseAddr(h.Address); err == nil {
		out = append(out, hostAddress{path + ".address", a})
	}
	if a, err := netip.ParseAddr(h.InternalAddress); err == nil && h.InternalAddress != h.Address {
		out = append(out, hostAddress{path + ".internalAddress", a})
	}
	return out
}

// ipv4Range reads a range and checks that it is written as one.
func ipv4Range(r *report, path, s string) (netip.Prefix, bool) {
	if strings.Contains(s, ",") {
		r.bad(path, "one IPv4 range", "%s is dual-stack, and only IPv4 single-stack is supported yet", shown(s))
		return netip.Prefix{}, false
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		r.bad(path, "an IPv4 range such as 10.244.0.0/16", "%s is not a CIDR", shown(s))
	case !p.Addr().Is4():
		r.bad(path, "an IPv4 range", "%s %s", s, ipv4Only)
	case p != p.Masked():
		r.bad(path, p.Masked().String(), "%s is an address inside its range", s)
	default:
		return p, true
	}
	return netip.Prefix{}, false
}

// judgeShares checks that podCIDR holds a share for every node.
func judgeShares(r *report, c *Cluster, pods netip.Prefix) {
	const path = "spec.network.nodeCIDRMaskSize"
	mask, nodes := c.Spec.Network.NodeCIDRMaskSize, len(c.Nodes())
	switch {
	case mask < 8 || mask > 29:
		r.bad(path, "8 to 29", "/%d is no usable share for one host", mask)
	case mask < pods.Bits():
		r.bad(path, "a size from "+strconv.Itoa(pods.Bits())+" on", "/%d does not fit into podCIDR %s", mask, pods)
	case mask-pods.Bits() < 20 && 1<<(mask-pods.Bits()) < nodes:
		r.bad("spec.network.podCIDR", "a larger podCIDR or a larger nodeCIDRMaskSize", "%s holds %d shares of size /%d for %d hosts", pods,
			1<<(mask-pods.Bits()), mask, nodes)
	}
}

// judgeNodePorts checks the range, and that no port of the cluster lies in it.
func judgeNodePorts(r *report, s string) {
	const path = "spec.network.nodePortRange"
	low, high, ok := portRange(s)
	if !ok {
		r.bad(path, "two ports such as 30000-32767", "%s is not a range", shown(s))
		return
	}
	var inside []string
	for _, port := range slices.Sorted(maps.Keys(usedPorts)) {
		if low <= port && port <= high {
			inside = append(inside, fmt.Sprintf("%d (%s)", port, usedPorts[port]))
		}
	}
	if len(inside) > 0 {
		r.bad(path, "a range without them", "%s holds ports that the cluster uses: %s", s, strings.Join(inside, ", "))
	}
}

func portRange(s string) (low, high int, ok bool) {
	a, b, found := strings.Cut(s, "-")
	l, err1 := strconv.ParseUint(a, 10, 16)
	h, err2 := strconv.ParseUint(b, 10, 16)
	return int(l), int(h), found && err1 == nil && err2 == nil && l > 0 && l <= h
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
