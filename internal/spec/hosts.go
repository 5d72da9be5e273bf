package spec

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// judgeHosts checks each host by itself, and that no two are the same machine.
func judgeHosts(r *report, c *Cluster) {
	names, reached, internal := map[string]string{}, map[string]string{}, map[string]string{}
	judgeSSH(r, "spec.ssh", c.Spec.SSH)
	for i, h := range c.Spec.Hosts {
		path := item("spec.hosts", i)
		who := h.Name
		if who == "" {
			who = path
		}
		judgeName(r, path+".name", h.Name)
		taken(r, names, path+".name", h.Name, path, "a name of its own")
		if judgeAddress(r, path, h) {
			s := c.HostSSH(h)
			way := fmt.Sprintf("%s port %d by %s", h.Address, s.Port, s.Jump)
			if owner, ok := reached[way]; ok {
				r.bad(path+".address", "an address of its own", "%s is also %s's", shown(h.Address), owner)
			} else {
				reached[way] = who
				taken(r, internal, internalPath(path, h), h.InternalAddress, who, "an address of its own")
			}
		}
		judgeNode(r, path, h)
		if h.SSH != nil {
			judgeSSH(r, path+".ssh", *h.SSH)
		}
	}
}

// taken notes that value is already another's, or makes it who's.
func taken(r *report, owners map[string]string, path, value, who, expected string) {
	if value == "" {
		return
	}
	if owner, ok := owners[value]; ok {
		r.bad(path, expected, "%s is also %s's", shown(value), owner)
		return
	}
	owners[value] = who
}

// internalPath is where the host's internal address is written.
func internalPath(path string, h Host) string {
	if h.InternalAddress == h.Address {
		return path + ".address"
	}
	return path + ".internalAddress"
}

func judgeName(r *report, path, name string) {
	switch {
	case name == "":
		r.bad(path, "the host's name", "missing")
	case !isSubdomain(name):
		r.bad(path, "lower-case letters, digits, dashes and dots", "%s cannot be a node's name", shown(name))
	case looksLikeIP(name):
		r.bad(path, "a name; the address has a key of its own", "%s is an address", shown(name))
	}
}

// judgeAddress says whether both addresses of the host can be used.
func judgeAddress(r *report, path string, h Host) bool {
	address := path + ".address"
	if h.Address == "" {
		r.bad(address, "an IPv4 address or a DNS name", "missing")
		return false
	}
	if h.InternalAddress != h.Address {
		reach, member := judgeReach(r, address, h.Address), judgeMember(r, path+".internalAddress", h.InternalAddress)
		return reach && member
	}
	if !looksLikeIP(h.Address) && isSubdomain(strings.ToLower(h.Address)) {
		r.bad(path+".internalAddress", "the IPv4 address for the cluster's members to use, since address is the name "+h.Address, "missing")
		return false
	}
	return judgeMember(r, address, h.Address)
}

// judgeReach checks an address that only SSH uses.
func judgeReach(r *report, path, address string) bool {
	if looksLikeIP(address) {
		_, ok := ipv4(r, path, address)
		return ok
	}
	if !isSubdomain(strings.ToLower(address)) {
		r.bad(path, "an IPv4 address or a DNS name", "%s is neither", shown(address))
		return false
	}
	return true
}

// judgeMember checks an address that the cluster's members call each other by.
func judgeMember(r *report, path, address string) bool {
	a, ok := ipv4(r, path, address)
	if ok && (a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})) {
		r.bad(path, "an address that the other hosts reach", "%s does not lead to this host from others", address)
		return false
	}
	return ok
}

const ipv4Only = "is IPv6, and only IPv4 single-stack is supported yet"

func ipv4(r *report, path, s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		r.bad(path, "an IPv4 address such as 10.0.0.11", "%s is not an IP address", shown(s))
	case !a.Is4():
		r.bad(path, "an IPv4 address", "%s %s", shown(s), ipv4Only)
	}
	return a, err == nil && a.Is4()
}

// judgeSSH checks the fields of one ssh section; absent ones are right.
func judgeSSH(r *report, path string, s SSH) {
	if s.Port < 0 || s.Port > 65535 {
		r.bad(path+".port", "1 to 65535", "%d is not a port", s.Port)
	}
	if strings.ContainsAny(s.User, " \t\n@:") {
		r.bad(path+".user", "a user's name", "%s is not one", shown(s.User))
	}
	if s.Jump == "" {
		return
	}
	if !isJump(s.Jump) {
		r.bad(path+".jump", "[user@]host[:port]", "%s is not a jump host", shown(s.Jump))
	}
}

// isJump says whether s is [user@]host[:port].
func isJump(s string) bool {
	user, host, found := strings.Cut(s, "@")
	if !found {
		user, host = "root", s
	}
	if strings.Contains(host, ":") {
		h, port, err := net.SplitHostPort(host)
		n, perr := strconv.ParseUint(port, 10, 16)
		if err != nil || perr != nil || n == 0 {
			return false
		}
		host = h
	}
	_, err := netip.ParseAddr(host)
	return user != "" && !strings.ContainsAny(user, " :") && (err == nil || !looksLikeIP(host) && isSubdomain(strings.ToLower(host)))
}

// judgeRoles checks what the hosts are for, together.
func judgeRoles(r *report, c *Cluster) {
	if len(c.Spec.Hosts) == 0 {
		r.bad("spec.hosts", "at least one host with the role control-plane", "no hosts")
		return
	}
	external, unread := c.Spec.Etcd.Topology == TopologyExternal, false
	for i, h := range c.Spec.Hosts {
		path := item("spec.hosts", i) + ".roles"
		unread = unread || r.wasUnread(path)
		if len(h.Roles) == 0 {
			r.bad(path, "control-plane, worker or both", "%s has no roles", shown(h.Name))
		}
		seen := map[string]bool{}
		for j, role := range h.Roles {
			if seen[role] {
				r.note(Issue{Path: item(path, j), Problem: shown(role) + " is given twice", Next: "remove one"})
			}
			seen[role] = true
			if role == RoleEtcd && !external {
				r.note(Issue{Path: item(path, j), Problem: "etcd runs on the control planes when spec.etcd.topology is stacked",
					Next: "remove the role, or set the topology to external"})
			}
		}
	}
	if len(c.ControlPlanes()) == 0 && !unread {
		r.bad("spec.hosts", "at least one; three survive the loss of one", "no host has the role control-plane")
	}
	members := len(c.EtcdHosts())
	if external && members == 0 && !unread {
		r.bad("spec.etcd.topology", "hosts with the role etcd", "no host has the role etcd")
	}
	warnEven(r, members)
}

// warnEven says what an even number of etcd members costs.
func warnEven(r *report, n int) {
	switch {
	case n == 0 || n%2 == 1:
	case n == 2:
		r.warn(Fragile, "spec.hosts", "1 or 3", "2 etcd members need both to work: losing either stops the cluster, so they tolerate 0 "+
			"losses as 1 does")
	default:
		r.warn(Fragile, "spec.hosts", fmt.Sprintf("%d or %d", n-1, n+1), "%d etcd members tolerate %s as %d do, and need %d of %d to work",
			n, losses((n-1)/2), n-1, n/2+1, n)
	}
}

func losses(n int) string {
	if n == 1 {
		return "1 loss"
	}
	return fmt.Sprintf("%d losses", n)
}
