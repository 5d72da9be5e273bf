package spec

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
)

// usedPorts are the ports that the cluster itself listens on.
var usedPorts = func() map[int]string {
	names := map[model.Component]string{model.FrontDoor: "the load balancer's status page", model.Kubelet: "the kubelet"}
	out := map[int]string{}
	for c := range model.NumComponents {
		if c == model.HAProxy {
			continue // on hosts of its own
		}
		for _, port := range layout.Systemd().Ports(c) {
			if n, err := strconv.Atoi(port); err == nil {
				out[n] = cmp.Or(names[c], c.String())
			}
		}
	}
	return out
}()

// judgeEndpoint checks controlPlaneEndpoint and the certificates' other names.
func judgeEndpoint(r *report, c *Cluster) {
	const path, example = "spec.controlPlaneEndpoint", "name:port such as api.prod.internal:8443"
	s := c.Spec.ControlPlaneEndpoint
	host, port, err := net.SplitHostPort(s)
	switch {
	case c.Spec.LoadBalancer.Kind == NoBalancer:
		judgeNoBalancer(r, c)
	case s == "":
		r.bad(path, example+"; or loadBalancer: {kind: none} for one control plane that everybody uses directly", "missing")
	case err != nil && (strings.Contains(err.Error(), "missing port") || !strings.Contains(s, ":")):
		r.bad(path, example, "%s has no port", shown(s))
	case err != nil:
		r.bad(path, example, "%s is not name:port", shown(s))
	default:
		judgeEndpointHost(r, c, path, host)
		judgeEndpointPort(r, c, path, port)
	}
	for i, san := range c.Spec.CertSANs {
		name := strings.TrimPrefix(san, "*.")
		if _, err := netip.ParseAddr(san); err != nil && (looksLikeIP(san) || !isSubdomain(name)) {
			r.bad(item("spec.certSANs", i), "a DNS name or an IP address, without a port", "%s is neither", shown(san))
		}
	}
}

// judgeNoBalancer: without a balancer the only control plane is what all clients use.
func judgeNoBalancer(r *report, c *Cluster) {
	const instead = "a load balancer such as {kind: builtin}, with controlPlaneEndpoint: api.prod.internal:8443"
	if s := c.Spec.ControlPlaneEndpoint; s != "" {
		r.bad("spec.loadBalancer.kind", "builtin or nginx, or no controlPlaneEndpoint", "nothing would lead from the endpoint %s to the "+
			"control plane", shown(s))
	}
	if n := len(c.ControlPlanes()); n > 1 {
		r.bad("spec.loadBalancer.kind", instead, "%d control planes and nothing that leads clients to all of them: workers would depend on "+
			"one alone", n)
	}
}

func judgeEndpointHost(r *report, c *Cluster, path, host string) {
	_, err := netip.ParseAddr(host)
	local, vip := c.Spec.LoadBalancer.OnEveryHost(), c.Spec.VIPAddress()
	_, isHost := c.Host(host)
	switch {
	case host == "" || err != nil && (looksLikeIP(host) || !isSubdomain(host)):
		r.bad(path, "a DNS name, lower-case", "%s is not a name", shown(host))
	case c.Spec.LoadBalancer.Kind == HAProxyBalancer && err == nil && host != vip:
		r.bad(path, "a name, or loadBalancer.vip.address", "%s is another address", host)
	case c.Spec.LoadBalancer.Kind == HAProxyBalancer && (host == "localhost" || isHost):
		r.bad(path, "a name of its own: on each host it leads to loadBalancer.vip.address", "%s already names a machine", host)
	case c.Spec.LoadBalancer.Kind == ExternalBalancer && c.Spec.Adopted == nil && (host == "localhost" || c.hasAddress(host)):
		r.bad(path, "the name or address of the load balancer, which is no host of spec.hosts",
			"%s is a machine of the cluster: kind external means a load balancer of somebody else", host)
	case !local:
	case err == nil:
		r.bad(path, "a name: with a load balancer on every host it leads to 127.0.0.1 there", "%s is an address", host)
	case host == "localhost" || isHost:
		r.bad(path, "a name of its own: with a load balancer on every host it leads to 127.0.0.1 there", "%s already names a machine", host)
	}
}

func judgeEndpointPort(r *report, c *Cluster, path, port string) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		r.bad(path, "1 to 65535, such as 8443", "%s is not a port", shown(port))
		return
	}
	if c.Spec.LoadBalancer.Kind == HAProxyBalancer {
		judgeHAProxyPort(r, c, path, int(n))
		return
	}
	if !c.Spec.LoadBalancer.OnEveryHost() {
		return
	}
	if user, used := usedPorts[int(n)]; used {
		r.bad(path, "another port, such as 8443", "port %d is %s's on the same host", n, user)
	}
	low, high, ok := portRange(c.Spec.Network.NodePortRange)
	if ok && low <= int(n) && int(n) <= high {
		r.bad(path, "another port, such as 8443", "port %d lies in nodePortRange %s", n, c.Spec.Network.NodePortRange)
	}
}

// hasAddress says that a host of the file has this name or address.
func (c *Cluster) hasAddress(at string) bool {
	return slices.ContainsFunc(c.Spec.Hosts, func(h Host) bool { return at == h.Name || at == h.Address || at == h.InternalAddress })
}
