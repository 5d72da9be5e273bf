// Package steptest makes clusters on paper for tests of planning and of the
// engine: goals, what is there, and what an honest observation says of it.
package steptest

import (
	"strings"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
)

// Want is the goal for the named control planes and workers.
func Want(cps, workers string) model.Cluster {
	c := model.New("t")
	set := strings.ReplaceAll(cps, " ", ",")
	masters := Hosts(cps)
	put := func(name string, roles model.Role) {
		h := model.Host{Roles: roles, Reached: model.Is(true), Obstacle: model.Is(""), Packages: model.Is(model.Set[string]{}),
			System: model.Valid("sys-" + set), Binaries: model.Is("bin"), Images: model.Is(model.SetOf("img")), Keys: model.Is(model.PublicKeys),
			Certs: model.Valid("certs"), Via: model.Is(model.Way{Kind: model.LocalBalancer}), Backends: model.Is(masters),
			EtcdBackends: model.Is(model.HostSet{}), Named: model.Is(model.LocalBalancer),
			Node: model.NodeState{Registered: model.Is(true), Ready: model.Is(true), Configured: model.Is(true), Drained: model.Is(false)}}
		services := []model.Component{model.Containerd, model.FrontDoor, model.PodNetwork, model.Kubelet, model.KubeProxy}
		if roles.Has(model.ControlPlane) {
			services = append(services, model.Etcd, model.APIServer, model.ControllerManager, model.Scheduler)
			h.Keys, h.Ready, h.Via = model.Is(model.SharedKeys), model.Is(true), model.Is(model.Way{Kind: model.OwnServer})
			h.ServesName = model.Is(true)
			h.EtcdVia = model.Is(model.Way{Kind: model.EachDirectly, Backends: masters})
			h.Etcd = model.EtcdState{Data: model.Is(true), Bootstrapped: model.Is(true), Member: model.Is(model.Voter), Healthy: model.Is(true)}
			h.Certs = model.Valid("certs-" + set)
		}
		for _, v := range services {
			d := v.String()
			switch v {
			case model.APIServer, model.FrontDoor:
				d += "-" + set
			}
			h.Components[v] = model.ComponentState{Disk: model.Is(d), Running: model.Is(d)}
		}
		h.Components[model.Etcd].Disk = model.Is(h.Components[model.Etcd].Disk.Or("") + "-" + set)
		if !roles.Has(model.ControlPlane) {
			h.Components[model.Etcd] = model.ComponentState{}
		}
		c.Put(model.HostID(name), h)
	}
	for _, n := range strings.Fields(cps) {
		put(n, model.ControlPlane|model.EtcdHost)
	}
	for _, n := range strings.Fields(workers) {
		put(n, model.Worker)
	}
	c.CAsCreated = model.Is(true)
	for _, a := range []string{"rbac", "coredns", "cluster"} {
		c.Addons[a] = model.Valid(a + "-" + set)
	}
	c.Addons["metrics-server"] = model.NotInstalled() // switched off
	return c
}

// Hosts is a set of hosts, of names with blanks between.
func Hosts(names string) model.HostSet {
	var ids []model.HostID
	for _, n := range strings.Fields(names) {
		ids = append(ids, model.HostID(n))
	}
	return model.SetOf(ids...)
}

// Bare is a fresh machine.
func Bare(roles model.Role) model.Host {
	h := model.Host{Roles: roles, Reached: model.Is(true), Obstacle: model.Is(""), Packages: model.Is(model.SetOf("nginx")),
		System: model.NotInstalled(), Binaries: model.Is(""), Images: model.Is(model.Set[string]{}), Keys: model.Is(model.NoKeys),
		Certs: model.NotInstalled(),
		Etcd:  model.EtcdState{Data: model.Is(false), Bootstrapped: model.Is(false), Member: model.Is(model.NoMember), Healthy: model.Is(false)},
		Ready: model.Is(false), Via: model.Is(model.Way{}), EtcdVia: model.Is(model.Way{}), Backends: model.Is(model.HostSet{}),
		EtcdBackends: model.Is(model.HostSet{}), ServesName: model.Is(false), AdminServer: model.Is(""), ProxyServer: model.Is(""),
		VIPHeld: model.Is(false), Router: model.Is(false), EndpointUp: model.Is(false), Named: model.Is(model.NoWay),
		Node: model.NodeState{Registered: model.Is(false), Ready: model.Is(false), Configured: model.Is(false), Drained: model.Is(false)}}
	for v := range h.Components {
		h.Components[v] = model.ComponentState{Disk: model.Is(""), Running: model.Is("")}
	}
	return h
}

// Fresh are the hosts of a goal before anything is done, joined with what is
// there already.
func Fresh(want, have model.Cluster) model.Cluster {
	c := have.Clone()
	for id, w := range want.Hosts {
		if _, there := c.Hosts[id]; !there {
			c.Put(id, Bare(w.Roles))
		}
		c.Edit(id, func(h *model.Host) { h.Roles = w.Roles })
	}
	for id := range c.Hosts {
		if _, wanted := want.Hosts[id]; !wanted {
			c.Edit(id, func(h *model.Host) { h.Roles, h.Departed = 0, model.Is(true) })
		}
	}
	return c
}

// Nothing is what there is before a cluster.
func Nothing() model.Cluster {
	c := model.New("t")
	c.CAsCreated = model.Is(false)
	for _, a := range []string{"rbac", "coredns", "cluster", "metrics-server"} {
		c.Addons[a] = model.NotInstalled()
	}
	c.Published = model.Published{ClusterInfo: model.Is(""), KubeProxy: model.Is(""), KubeadmConfig: model.Is("")}
	return c
}

// Made is a cluster that was created, as its plan leaves it.
func Made(cps, workers string) model.Cluster {
	w := Want(cps, workers)
	p := plan.Make(Fresh(w, Nothing()), w, step.Rules())
	return p.Last()
}
