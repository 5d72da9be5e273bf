package spec

import (
	"cmp"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"quorate.dev/quorate/internal/layout"
)

// ControlPlanes are the hosts that run API servers, in the file's order.
func (c *Cluster) ControlPlanes() []Host { return c.with(RoleControlPlane) }

// Workers are the hosts that run the users' pods, in the file's order.
func (c *Cluster) Workers() []Host { return c.with(RoleWorker) }

// EtcdHosts are the hosts that run etcd: the control planes, or those with the
// role etcd when the topology is external.
func (c *Cluster) EtcdHosts() []Host {
	if c.Spec.Etcd.Topology == TopologyExternal {
		return c.with(RoleEtcd)
	}
	return c.ControlPlanes()
}

// Nodes are the hosts that run a kubelet, in the file's order.
func (c *Cluster) Nodes() []Host {
	return c.filter(func(h Host) bool { return h.Has(RoleControlPlane) || h.Has(RoleWorker) })
}

// LoadBalancers are the hosts whose role it is to balance, in the file's order.
func (c *Cluster) LoadBalancers() []Host { return c.with(RoleLoadBalancer) }

// holds says that a host may hold the virtual address: a load balancer, or without
// any a control plane.
func (c *Cluster) holds(h Host) bool {
	return h.Has(RoleLoadBalancer) || h.Has(RoleControlPlane) && len(c.LoadBalancers()) == 0
}

// SANs are the names and addresses, besides the endpoint's, by which clients may
// know the API servers.
func (s Spec) SANs() []string {
	if vip := s.VIPAddress(); vip != "" && !slices.Contains(s.CertSANs, vip) {
		return append(slices.Clone(s.CertSANs), vip)
	}
	return s.CertSANs
}

// Prefix is the address with its network; the zero Prefix when it is none.
func (v *VIP) Prefix() netip.Prefix {
	if v == nil {
		return netip.Prefix{}
	}
	p, _ := netip.ParsePrefix(v.Address)
	return p
}

// VIPAddress is the virtual address of the load balancers, "" if they have none.
func (s Spec) VIPAddress() string {
	if p := s.LoadBalancer.VIP.Prefix(); p.IsValid() {
		return p.Addr().String()
	}
	return ""
}

func (c *Cluster) with(role string) []Host {
	return c.filter(func(h Host) bool { return h.Has(role) })
}

func (c *Cluster) filter(keep func(Host) bool) []Host {
	var out []Host
	for _, h := range c.Spec.Hosts {
		if keep(h) {
			out = append(out, h)
		}
	}
	return out
}

// Host is the host of that name.
func (c *Cluster) Host(name string) (Host, bool) {
	for _, h := range c.Spec.Hosts {
		if h.Name == name {
			return h, true
		}
	}
	return Host{}, false
}

// Has says whether the host has the role.
func (h Host) Has(role string) bool { return slices.Contains(h.Roles, role) }

// Endpoint is where the cluster's members reach the API servers, as host:port:
// spec.controlPlaneEndpoint, or without one the first control plane itself.
func (c *Cluster) Endpoint() string {
	if masters := c.ControlPlanes(); c.Spec.ControlPlaneEndpoint == "" && len(masters) > 0 {
		return net.JoinHostPort(cmp.Or(masters[0].InternalAddress, masters[0].Address), apiPort)
	}
	return c.Spec.ControlPlaneEndpoint
}

// apiPort is the API servers' own port, the same in each flavour.
var apiPort = layout.Systemd().APIServer.Port

// EndpointHost is the name (or address) in Endpoint.
func (c *Cluster) EndpointHost() string {
	host, _, _ := net.SplitHostPort(c.Endpoint())
	return host
}

// EndpointPort is the port in Endpoint, 0 if there is none.
func (c *Cluster) EndpointPort() int {
	_, port, _ := net.SplitHostPort(c.Endpoint())
	n, _ := strconv.ParseUint(port, 10, 16)
	return int(n)
}

// ServiceIP is the first address of serviceCIDR: the Service "kubernetes".
// It is the zero Addr when serviceCIDR is not valid.
func (c *Cluster) ServiceIP() netip.Addr { return c.serviceAddr(1) }

// DNSIP is the tenth address of serviceCIDR: the cluster's DNS.
func (c *Cluster) DNSIP() netip.Addr { return c.serviceAddr(10) }

func (c *Cluster) serviceAddr(n int) netip.Addr {
	p, err := netip.ParsePrefix(c.Spec.Network.ServiceCIDR)
	if err != nil {
		return netip.Addr{}
	}
	a := advance(p.Masked().Addr(), big.NewInt(int64(n)))
	if !p.Contains(a) {
		return netip.Addr{}
	}
	return a
}

// PodCIDRs is the i-th host's share of podCIDR, counted from 0.
func (c *Cluster) PodCIDRs(i int) (netip.Prefix, error) {
	n := c.Spec.Network
	p, err := netip.ParsePrefix(n.PodCIDR)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("parse podCIDR: %w", err)
	}
	shares := n.NodeCIDRMaskSize - p.Bits()
	if shares < 0 || n.NodeCIDRMaskSize > p.Addr().BitLen() || i < 0 || shares < 62 && i >= 1<<shares {
		return netip.Prefix{}, fmt.Errorf("podCIDR %s has no share number %d of size /%d", n.PodCIDR, i, n.NodeCIDRMaskSize)
	}
	by := new(big.Int).Lsh(big.NewInt(int64(i)), uint(p.Addr().BitLen()-n.NodeCIDRMaskSize))
	return netip.PrefixFrom(advance(p.Masked().Addr(), by), n.NodeCIDRMaskSize), nil
}

// advance adds by to an address; the zero Addr when it runs over.
func advance(a netip.Addr, by *big.Int) netip.Addr {
	sum := new(big.Int).Add(new(big.Int).SetBytes(a.AsSlice()), by)
	if sum.BitLen() > a.BitLen() {
		return netip.Addr{}
	}
	out, _ := netip.AddrFromSlice(sum.FillBytes(make([]byte, a.BitLen()/8)))
	return out
}

// HostSSH is how h is reached: its own SSH fields over those of spec.ssh.
func (c *Cluster) HostSSH(h Host) SSH {
	out := c.Spec.SSH
	if h.SSH == nil {
		return out
	}
	over := func(field *string, own string) {
		if own != "" {
			*field = own
		}
	}
	over(&out.User, h.SSH.User)
	over(&out.KeyFile, h.SSH.KeyFile)
	over(&out.PasswordFile, h.SSH.PasswordFile)
	over(&out.KnownHostsFile, h.SSH.KnownHostsFile)
	over(&out.Jump, h.SSH.Jump)
	over(&out.JumpPasswordFile, h.SSH.JumpPasswordFile)
	over(&out.SudoPasswordFile, h.SSH.SudoPasswordFile)
	if h.SSH.Port != 0 {
		out.Port = h.SSH.Port
	}
	return out
}
