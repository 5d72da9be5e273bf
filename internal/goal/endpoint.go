package goal

import (
	"net"
	"net/netip"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
)

// endpoint is what of a host leads to the endpoint beside its kubelet. Where a name
// of somebody else's leads is not known, and not compared.
func (g *Goal) endpoint(m *model.Host, h *Host, ctx component.Context) {
	for _, c := range h.Certs {
		if c.Name == pki.AdminConf {
			m.AdminServer = model.Is(c.Conf)
		}
	}
	if m.Roles.Node() && g.File.Spec.LoadBalancer.Kind == spec.ExternalBalancer {
		m.EndpointUp = model.Is(true)
	}
	m.Named = model.Is(g.Named(h.System.HostsBlock))
	if !g.Layout.Kubeadm || !m.Roles.Node() { // else it is a unit, and tells by its stamp
		return
	}
	name, port, err := net.SplitHostPort(ctx.Endpoint())
	_, noAddress := netip.ParseAddr(name)
	switch {
	case err != nil:
	case g.File.Spec.LoadBalancer.Kind == spec.NoBalancer:
		m.ProxyServer = model.Is(ctx.Endpoint())
	case g.File.Spec.LoadBalancer.OnEveryHost() && noAddress != nil:
		m.ProxyServer = model.Is(net.JoinHostPort(topology.Loopback, port))
	}
}

// Named is where a block in a hosts file leads the endpoint's name.
func (g *Goal) Named(block string) model.WayKind {
	switch _, to := topology.Led(block, g.File.EndpointHost(), g.File.Spec.VIPAddress()); to {
	case "":
		return model.NoWay
	case topology.Loopback:
		return model.LocalBalancer
	}
	return model.SharedAddress
}

// published is what the cluster's documents must name.
func (g *Goal) published(ctx component.Context) (p model.Published) {
	url := "https://" + ctx.Endpoint()
	p.ClusterInfo = model.Is(url)
	if g.Layout.Kubeadm {
		p.KubeProxy, p.KubeadmConfig = model.Is(url), model.Is("")
		if g.File.Spec.ControlPlaneEndpoint != "" {
			p.KubeadmConfig = model.Is(url)
		}
	}
	return p
}
