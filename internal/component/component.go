// Package component says what runs on a host: for each component its flags,
// documents and certificates, rendered for one host. Rendering is pure: the same
// Context gives the same bytes. How a component runs is package workload's
// business; certificates are made by package pki.
package component

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// Context is all that a renderer may know.
type Context struct {
	Cluster     string    // metadata.name of the file
	Spec        spec.Spec // with its defaults filled in
	Layout      layout.Layout
	Self        topology.Node
	Nodes       []topology.Node // every host that is, or is to be, a Kubernetes node
	Leaving     []topology.Node // hosts that leave and may still run pods
	APIServers  []topology.Node
	EtcdMembers []topology.Node // the members an API server may ask; learners do not belong here
	Members     []topology.Node // all hosts that are, or are to be, members of etcd
	// LoadBalancers are the hosts with that role, in the file's order.
	LoadBalancers []topology.Node

	// Pods are the components of Self that run as static pods.
	Pods [model.NumComponents]workload.PodStyle

	ImagePause         string
	ImageEtcd          string // with ImageAPIServer, for static pods
	ImageAPIServer     string
	ImageCoreDNS       string
	ImageMetricsServer string
	// These run in images in the kubeadm flavour only.
	ImageControllerManager, ImageScheduler, ImageKubeProxy string

	// EtcdCluster is etcd's cluster id in hexadecimal: the way to etcd leads to
	// members of this cluster only.
	EtcdCluster string
	// BalancerSum is the SHA-256 of quorate-lb.
	BalancerSum string

	// StreamModule is nginx's stream module, "" for the layout's, or
	// "builtin" where nginx has it compiled in.
	StreamModule string

	Patches     []spec.Patch // of kubeadm's static pods, in the order in which they apply
	CNIManifest []byte       // the manifest that spec.network.cni names, if it names one

	// VRRPPassword is what spec.loadBalancer.vip.passwordFile holds.
	VRRPPassword string

	// Facts of the host Self.
	Interface string // the network interface that has its address; "" while that was not seen
	CgroupV1  bool   // the host has no unified cgroup hierarchy; a kubelet ≥ 1.35 must be told
	// ResolvConf is the kubelet's resolv.conf; "" means /etc/resolv.conf. With
	// systemd-resolved it is /run/systemd/resolve/resolv.conf, or pods would be
	// sent to a loopback resolver.
	ResolvConf string
}

// Renderer makes one service of the host ctx.Self.
type Renderer func(ctx Context) (workload.Service, error)

// localAPIServer is how a control plane's own components reach the API: always
// their own server, never the endpoint, so that during an upgrade no kubelet or
// controller-manager talks to a server older than itself, which the version skew
// policy forbids (kubernetes#127316).
func (c Context) localAPIServer() string { return c.Layout.APIServer.URL("127.0.0.1") }

// server is the API server that the kubelet and kube-proxy of Self talk to:
// its own on a control plane, the endpoint elsewhere.
func (c Context) server() string {
	if c.Self.ControlPlane {
		return c.localAPIServer()
	}
	return "https://" + c.Endpoint()
}

// Endpoint is where clients reach the API servers, as host:port: that of the
// file, or without one the first control plane itself.
func (c Context) Endpoint() string {
	if len(c.APIServers) == 0 || c.Spec.ControlPlaneEndpoint != "" {
		return c.Spec.ControlPlaneEndpoint
	}
	return net.JoinHostPort(c.APIServers[0].Address, c.Layout.APIServer.Port)
}

// bridged says whether quorate itself makes the pod network.
func (c Context) bridged() bool { return c.Spec.Network.CNI == "bridge" }

// Builtin says whether quorate-lb is the hosts' load balancer, and leads API
// servers to etcd as well.
func (c Context) Builtin() bool { return c.Spec.LoadBalancer.Kind == spec.BuiltinBalancer }

// nginx says that each host has one of nginx.
func (c Context) nginx() bool {
	k := c.Spec.LoadBalancer.Kind
	return k == spec.NginxBalancer || k == ""
}

// Holders are the hosts one of which holds the virtual address: load balancers, or
// with quorate-lb on every host the control planes.
func (c Context) Holders() []topology.Node {
	switch {
	case c.Spec.LoadBalancer.VIP == nil || !c.Spec.LoadBalancer.SharesAddress():
		return nil
	case len(c.LoadBalancers) == 0 && c.Builtin():
		return c.APIServers
	}
	return c.LoadBalancers
}

// Holds says that Self is one of them.
func (c Context) Holds() bool {
	return slices.ContainsFunc(c.Holders(), func(n topology.Node) bool { return n.Name == c.Self.Name })
}

// EndpointLeadsTo is the address that the endpoint's name means on the hosts of the
// cluster: each host's own balancer, or the virtual address. "" leaves it to DNS.
func (c Context) EndpointLeadsTo() string {
	switch c.Spec.LoadBalancer.Kind {
	case spec.HAProxyBalancer:
		return c.Spec.VIPAddress()
	case spec.ExternalBalancer:
		return ""
	}
	if c.Self.LoadBalancer { // it has no balancer for itself then
		return ""
	}
	return "127.0.0.1"
}

// EtcdBalanced says that the hosts' load balancer leads API servers to etcd as
// well. Those of kubeadm ask the member beside them.
func (c Context) EtcdBalanced() bool { return c.Builtin() && !c.Layout.Kubeadm }

// Issuer is the issuer of service-account tokens. It depends on the DNS domain
// only: a change of the endpoint must never make tokens invalid.
func (c Context) Issuer() string { return "https://kubernetes.default.svc." + c.Spec.Network.DNSDomain }

// DNSIP is the cluster DNS address: the tenth of the service network, as with
// kubeadm (cmd/kubeadm/app/constants: GetDNSIP).
func (c Context) DNSIP() (string, error) {
	first, _, _ := strings.Cut(c.Spec.Network.ServiceCIDR, ",")
	p, err := netip.ParsePrefix(first)
	if err != nil {
		return "", fmt.Errorf("spec.network.serviceCIDR %q: %w; write it like 10.96.0.0/12", first, err)
	}
	ip := p.Masked().Addr()
	for range 10 {
		ip = ip.Next()
	}
	if !p.Contains(ip) {
		return "", fmt.Errorf("spec.network.serviceCIDR %s has no tenth address for the cluster DNS; take a larger network", first)
	}
	return ip.String(), nil
}

// extra are the user's own flags for one component. A flag that is given several
// times has its values side by side: see workload.Repeated.
func (c Context) extra(component string) map[string]string {
	out := map[string]string{}
	for flag, values := range c.Spec.Components[component].ExtraArgs {
		out[flag] = workload.Repeated(values)
	}
	if component == "kubelet" {
		for flag, values := range c.hostKubelet().ExtraArgs {
			out[flag] = workload.Repeated(values)
		}
	}
	return out
}

// hostKubelet is what the kubelet of Self gets beside what all get.
func (c Context) hostKubelet() spec.HostKubelet {
	for _, h := range c.Spec.Hosts {
		if h.Name == c.Self.Name && h.Kubelet != nil {
			return *h.Kubelet
		}
	}
	return spec.HostKubelet{}
}

// environment are lines of a unit with the user's own variables for one component.
func (c Context) environment(component string) []string {
	var out []string
	for _, e := range c.Spec.Components[component].ExtraEnvs {
		out = append(out, workload.Environment(e.Name, e.Value))
	}
	return out
}

// anyAddress is the address that listens on all interfaces of Self's family.
func (c Context) anyAddress() string {
	if strings.Contains(c.Self.Address, ":") {
		return "::"
	}
	return "0.0.0.0"
}
