package spec

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
)

// interfaceName is what Linux takes as one, without what a configuration file
// would read in its own way.
var interfaceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$`)

// judgeBalancer checks what stands in front of the API servers, and the hosts
// that it runs on.
func judgeBalancer(r *report, c *Cluster) {
	const path = "spec.loadBalancer"
	lb := c.Spec.LoadBalancer
	judgeBalancerRoles(r, c)
	if lb.VIP != nil {
		judgeVIP(r, c, path+".vip", lb.VIP)
	}
	if lb.HAProxy != nil && lb.Kind == HAProxyBalancer {
		judgeHAProxy(r, path+".haproxy", lb.HAProxy)
	}
	switch {
	case lb.Kind == HAProxyBalancer && lb.VIP == nil:
		r.bad(path+".vip", "the address that the load balancers share, such as {address: 10.0.0.100/24}", "missing")
	case lb.VIP != nil && !lb.SharesAddress():
		r.bad(path+".vip", "kind builtin or haproxy, or no vip", "kind %s has no virtual address", lb.Kind)
	}
	if lb.Kind != HAProxyBalancer && lb.HAProxy != nil {
		r.note(Issue{Path: path + ".haproxy", Problem: "these are options of kind haproxy, and the kind is " + lb.Kind, Next: "remove them"})
	}
}

// judgeBalancerRoles checks the role load-balancer.
func judgeBalancerRoles(r *report, c *Cluster) {
	lb := c.Spec.LoadBalancer
	for i, h := range c.Spec.Hosts {
		path := item("spec.hosts", i) + ".roles"
		if !h.Has(RoleLoadBalancer) {
			continue
		}
		if slices.ContainsFunc(h.Roles, func(role string) bool { return role != RoleLoadBalancer }) {
			r.bad(path, "hosts of their own for load balancers", "%s has other roles, too", shown(h.Name))
		}
		if !lb.SharesAddress() {
			r.warn(Unused, path, "", "%s balances nothing: only loadBalancer.kind haproxy, or builtin with a vip, has hosts of its own",
				shown(h.Name))
		}
	}
	switch n := len(c.LoadBalancers()); {
	case n == 0 && lb.Kind == HAProxyBalancer:
		r.bad("spec.hosts", "two or more hosts with the role load-balancer, for loadBalancer.kind haproxy", "no host has that role")
	case n == 1 && lb.Kind == HAProxyBalancer:
		r.warn(Fragile, "spec.hosts", "two or more load balancers", "losing the only load balancer cuts every worker off")
	case n == 1 && lb.SharesAddress():
		r.warn(Fragile, "spec.hosts", "two or more load balancers", "losing the only load balancer takes the virtual address away")
	}
}

func judgeVIP(r *report, c *Cluster, path string, v *VIP) {
	p, err := netip.ParsePrefix(v.Address)
	switch {
	case v.Address == "":
		r.bad(path+".address", "an address with its prefix, such as 10.0.0.100/24", "missing")
	case err != nil:
		r.bad(path+".address", "an address with its prefix, such as 10.0.0.100/24", "%s is none", shown(v.Address))
	case !p.Addr().Is4():
		r.bad(path+".address", "an IPv4 address", "%s %s", shown(v.Address), ipv4Only)
	case judgeMember(r, path+".address", p.Addr().String()):
		judgeVIPAddress(r, c, path+".address", p)
	}
	if v.Interface != "" && !interfaceName.MatchString(v.Interface) {
		r.bad(path+".interface", "the name of a network interface, such as eth0", "%s is none", shown(v.Interface))
	}
	within(r, path+".vrid", v.VRID, 1, 255)
	slowest := 40_000
	if c.Spec.LoadBalancer.Kind == BuiltinBalancer {
		slowest = 1000
		if v.PasswordFile != "" {
			r.bad(path+".passwordFile", "no password, or kind haproxy", "quorate-lb speaks VRRP version 3, which has none")
			return
		}
	}
	within(r, path+".advertMilliseconds", v.AdvertMilliseconds, 10, slowest)
	if v.PasswordFile != "" && v.AdvertMilliseconds%1000 != 0 {
		r.bad(path+".advertMilliseconds", "whole seconds, or no password", "VRRP version 2, which a password means, has no %d ms",
			v.AdvertMilliseconds)
	}
	if v.AdvertMilliseconds%10 != 0 {
		r.bad(path+".advertMilliseconds", "a multiple of 10", "VRRP counts in hundredths of a second, and %d is none", v.AdvertMilliseconds)
	}
}

// judgeVIPAddress checks that the address is free, and next to the hosts'.
func judgeVIPAddress(r *report, c *Cluster, path string, p netip.Prefix) {
	near := false
	for i, h := range c.Spec.Hosts {
		for _, a := range addresses(item("spec.hosts", i), h) {
			if a.addr == p.Addr() {
				r.bad(path, "an address that no host has", "%s is %s's own", p.Addr(), h.Name)
			}
		}
		if a, err := netip.ParseAddr(h.InternalAddress); err == nil && c.holds(h) {
			near = near || p.Contains(a)
		}
	}
	for _, text := range []string{c.Spec.Network.PodCIDR, c.Spec.Network.ServiceCIDR} {
		if of, err := netip.ParsePrefix(text); err == nil && of.Contains(p.Addr()) {
			r.bad(path, "an address of the hosts' network", "%s lies in %s, which is for pods and services", p.Addr(), text)
		}
	}
	if !near && slices.ContainsFunc(c.Spec.Hosts, c.holds) {
		r.warn(Fragile, path, "", "no address of a host that may hold it lies in %s: others find the virtual address by ARP in those hosts' "+
			"own network only", p.Masked())
	}
}

func judgeHAProxy(r *report, path string, o *HAProxy) {
	for _, v := range []struct {
		key          string
		n, low, high int
	}{
		{"maxConnections", o.MaxConnections, 100, 60_000},
		{"serverMaxConnections", o.ServerMaxConnections, 0, 60_000},
		{"serverMaxQueue", o.ServerMaxQueue, 0, 60_000},
		{"slowStartSeconds", o.SlowStartSeconds, 1, 600},
		{"checkMilliseconds", o.CheckMilliseconds, 100, 5000},
		{"connectSeconds", o.ConnectSeconds, 1, 10},
		{"queueSeconds", o.QueueSeconds, 1, 60},
		{"idleMinutes", o.IdleMinutes, 10, 24 * 60},
		{"statsPort", o.StatsPort, 1, 65535},
	} {
		within(r, path+"."+v.key, v.n, v.low, v.high)
	}
}

// judgeHAProxyPort checks the endpoint's port on the hosts that balance.
func judgeHAProxyPort(r *report, c *Cluster, path string, port int) {
	taken := map[string]string{"22": "SSH's"}
	if o := c.Spec.LoadBalancer.HAProxy; o != nil {
		taken[strconv.Itoa(o.StatsPort)] = "HAProxy's statistics page's"
	}
	if user, used := taken[strconv.Itoa(port)]; used {
		r.bad(path, "another port, such as 6443", "port %d is %s on the same host", port, user)
	}
}

// within checks a number.
func within(r *report, path string, n, low, high int) {
	if n < low || n > high {
		r.bad(path, strconv.Itoa(low)+" to "+strconv.Itoa(high), "%d is not", n)
	}
}

var vrrpPassword = regexp.MustCompile(`^[A-Za-z0-9]{1,8}$`)

// CheckVRRPPassword says what of a password VRRP cannot carry.
func CheckVRRPPassword(text string) error {
	if !vrrpPassword.MatchString(text) {
		return errors.New("VRRP takes a password of 1 to 8 letters and digits, and the file holds another")
	}
	return nil
}
