package goal

import (
	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// way is how nodes shall reach API servers, by the kind of the load balancer.
func way(ctx component.Context) model.Way {
	switch ctx.Spec.LoadBalancer.Kind {
	case spec.NoBalancer:
		return model.Way{Kind: model.FixedServer, Backends: set(ctx.APIServers[:1])}
	case spec.HAProxyBalancer:
		return model.Way{Kind: model.SharedAddress}
	case spec.ExternalBalancer:
		return model.Way{Kind: model.SharedBalancer, Backends: set(ctx.APIServers)}
	}
	return model.Way{Kind: model.LocalBalancer}
}

// want is a host's goal as the planner sees it.
func (g *Goal) want(h *Host, ctx component.Context) model.Host {
	m := model.Host{
		Address: h.Node.Address, PodCIDR: h.Node.PodCIDR,
		Reached: model.Is(true), Obstacle: model.Is(""), Packages: model.Is(model.Set[string]{}),
		System:   model.Valid(h.System.Digest()),
		Binaries: model.Is(g.programsDigest(h)),
		Images:   model.Is(model.SetOf(h.Images...)),
		Keys:     model.Is(model.PublicKeys),
		Certs:    model.Valid(CertsDigest(h.Certs)),
	}
	if g.File.Spec.Adopted != nil {
		m.Marked = model.Is(true)
	}
	if len(h.Certs) == 0 {
		m.Certs = model.NotInstalled()
	}
	if h.Found {
		m.System, m.Binaries = h.System.Found(), model.Is(workload.AsFound)
	}
	if h.Node.Worker {
		m.Roles |= model.Worker
	}
	if h.Node.ControlPlane {
		m.Roles |= model.ControlPlane
		m.Keys, m.ServesName = model.Is(model.SharedKeys), model.Is(true)
		m.EtcdVia, m.Ready = model.Is(model.Way{Kind: model.EachDirectly, Backends: set(ctx.EtcdMembers)}), model.Is(true)
		if g.Layout.Kubeadm && h.Node.Etcd { // an API server of kubeadm's asks the member beside it
			m.EtcdVia = model.Is(model.Way{Kind: model.EachDirectly, Backends: set([]topology.Node{h.Node})})
		}
	}
	if h.Node.Etcd {
		m.Roles |= model.EtcdHost
		m.Etcd = model.EtcdState{Data: model.Is(true), Bootstrapped: model.Is(true), Member: model.Is(model.Voter), Healthy: model.Is(true)}
	}
	if h.Node.LoadBalancer {
		m.Roles |= model.LoadBalancerHost
		m.Backends, m.EtcdBackends = model.Is(model.HostSet{}), model.Is(model.HostSet{})
		if h.Services[model.HAProxy] != nil || h.Services[model.Balancer] != nil {
			m.Backends = model.Is(set(ctx.APIServers))
		}
	}
	m.VIPHeld, m.Router = model.Is(h.Context.Holds()), model.Is(h.Context.Holds() && h.Services[model.Balancer] != nil)
	if m.Roles.Node() {
		m.Backends, m.EtcdBackends = model.Is(set(ctx.APIServers)), model.Is(model.HostSet{})
		by := way(ctx)
		if m.Via = model.Is(by); by.Kind != model.LocalBalancer {
			m.Backends = model.Is(model.HostSet{})
		}
		if ctx.EtcdBalanced() && h.Node.ControlPlane {
			m.EtcdVia, m.EtcdBackends = model.Is(model.Way{Kind: model.LocalBalancer}), model.Is(set(ctx.EtcdMembers))
		}
		if h.Node.ControlPlane {
			m.Via = model.Is(model.Way{Kind: model.OwnServer})
		}
		m.Node = model.NodeState{Registered: model.Is(true), Configured: model.Is(true), Drained: model.Is(false)}
		if g.Bridged() {
			m.Node.Ready = model.Is(true)
		}
	}
	g.endpoint(&m, h, ctx)
	for v, s := range h.Services {
		if s != nil {
			m.Components[v] = model.ComponentState{Disk: model.Is(s.Disk()), Running: model.Is(s.Stamp()), Version: s.Version,
				Pod: h.Context.Pods[v] != workload.NoPod}
		}
	}
	return m
}

func set(nodes []topology.Node) model.HostSet {
	ids := make([]model.HostID, len(nodes))
	for i, n := range nodes {
		ids[i] = model.HostID(n.Name)
	}
	return model.SetOf(ids...)
}

// CertsDigest is the fact by which a host's certificates are compared.
func CertsDigest(certs []pki.Cert) string {
	m := map[string]string{}
	for _, c := range certs {
		m[c.Path] = c.Spec()
	}
	return workload.DiskDigest(m)
}
