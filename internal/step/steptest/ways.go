package steptest

import (
	"strings"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
)

// Ways are how the hosts of a goal reach the API and etcd.
type Ways string

// The ways. Local is that of Want: each host has a balancer before the API
// servers, and each API server asks all members of etcd.
const (
	Local    Ways = ""
	Fixed    Ways = "fixed"    // all workers by the first control plane alone
	Shared   Ways = "shared"   // workers by a balancer that the workers lb1 and lb2 run
	Outside  Ways = "outside"  // workers by a balancer of somebody else
	Balanced Ways = "balanced" // as Local, and API servers by it to etcd
	Builtin  Ways = "builtin"  // as Balanced, and the balancer is quorate-lb
	Virtual  Ways = "virtual"  // as Builtin, and the hosts lb1 and lb2, else the control planes, share a virtual address
	HAProxy  Ways = "haproxy"  // workers by a virtual address that the hosts lb1 and lb2 carry, which are no nodes
	// KubeadmFixed is Kubeadm without an endpoint: all by the first control plane alone.
	KubeadmFixed Ways = "kubeadm-fixed"
	// KubeadmOutside is Kubeadm behind somebody else's balancer.
	KubeadmOutside Ways = "kubeadm-outside"
	// KubeadmNamed is Kubeadm behind somebody else's balancer, by the same name.
	KubeadmNamed Ways = "kubeadm-named"
	Kubeadm      Ways = "kubeadm" // as Local, and API servers ask the member beside them: the control plane is static pods
)

// WantBy is Want with other ways.
func WantBy(ways Ways, cps, workers string) model.Cluster {
	c := Want(cps, workers)
	masters := Hosts(cps)
	for _, id := range c.IDs() {
		if ways != Shared && strings.HasPrefix(string(id), "lb") {
			c.Put(id, loadBalancer(ways, masters))
			continue
		}
		c.Edit(id, func(h *model.Host) {
			switch ways {
			case Fixed:
				detour(h, model.Way{Kind: model.FixedServer, Backends: model.SetOf(masters.List()[0])})
			case Shared:
				detour(h, model.Way{Kind: model.SharedBalancer, Backends: masters, Carriers: Hosts("lb1 lb2")})
			case Outside:
				detour(h, model.Way{Kind: model.SharedBalancer, Backends: masters})
				named(h, model.NoWay, c.Hosts[id])
				h.EndpointUp = model.Is(true)
			case HAProxy:
				detour(h, model.Way{Kind: model.SharedAddress})
				named(h, model.SharedAddress, c.Hosts[id])
			case Balanced, Builtin, Virtual:
				balanced(h, ways, masters)
				if alone := c.Hosts["lb1"].Roles == 0; ways == Virtual && alone && h.Roles.Has(model.ControlPlane) {
					router(h, masters)
				}
			case Kubeadm:
				byKubeadm(h, id)
				leads(h, "api:8443", "127.0.0.1:8443")
			case KubeadmOutside:
				detour(h, model.Way{Kind: model.SharedBalancer, Backends: masters})
				byKubeadm(h, id)
				leads(h, "lb:6443", "lb:6443")
			case KubeadmNamed:
				detour(h, model.Way{Kind: model.SharedBalancer, Backends: masters})
				named(h, model.NoWay, c.Hosts[id])
				byKubeadm(h, id)
				leads(h, "api:8443", "")
				h.EndpointUp, h.ProxyServer = model.Is(true), model.Known[string]{}
			case KubeadmFixed:
				first := masters.List()[0]
				detour(h, model.Way{Kind: model.FixedServer, Backends: model.SetOf(first)})
				byKubeadm(h, id)
				leads(h, string(first)+":6443", string(first)+":6443")
			}
		})
	}
	switch ways {
	case Kubeadm, KubeadmNamed:
		publish(&c, masters, "api:8443", "https://api:8443")
	case KubeadmOutside:
		publish(&c, masters, "lb:6443", "https://lb:6443")
	case KubeadmFixed:
		publish(&c, masters, string(masters.List()[0])+":6443", "")
	}
	return c
}

// balanced leads the API servers to etcd by the hosts' own balancers.
func balanced(h *model.Host, ways Ways, masters model.HostSet) {
	h.VIPHeld, h.Router = model.Is(false), model.Is(false)
	if ways != Balanced {
		by := model.Is(model.Balancer.String() + "-" + masters.String())
		h.Components[model.FrontDoor], h.Components[model.Balancer] = model.ComponentState{}, model.ComponentState{Disk: by, Running: by}
	}
	if ways == Balanced || h.Roles.Has(model.ControlPlane) {
		h.EtcdBackends = model.Is(masters)
	}
	if h.Roles.Has(model.ControlPlane) {
		h.EtcdVia = model.Is(model.Way{Kind: model.LocalBalancer})
		by := model.Is(model.APIServer.String() + " by a balancer") // whatever the members are
		h.Components[model.APIServer] = model.ComponentState{Disk: by, Running: by}
	}
}

// leads says where admin.conf and kube-proxy lead on a host of kubeadm's.
func leads(h *model.Host, endpoint, at string) {
	if h.Roles.Has(model.ControlPlane) {
		h.AdminServer = model.Is("https://" + endpoint)
	}
	h.ProxyServer = model.Is(at)
}

// publish adds what kubeadm keeps in the cluster.
func publish(c *model.Cluster, masters model.HostSet, endpoint, inConfig string) {
	for _, a := range []string{"kubeadm", "kube-proxy"} {
		c.Addons[a] = model.Valid(a + "-" + masters.String() + "-" + endpoint)
	}
	url := model.Is("https://" + endpoint)
	c.Published = model.Published{ClusterInfo: url, KubeProxy: url, KubeadmConfig: model.Is(inConfig)}
}

// loadBalancer is a host with that role. Unless the way is theirs it has nothing to
// do.
func loadBalancer(ways Ways, masters model.HostSet) model.Host {
	h := model.Host{Roles: model.LoadBalancerHost, Reached: model.Is(true), Obstacle: model.Is(""), Packages: model.Is(model.Set[string]{}),
		System: model.Valid("sys-lb"), Binaries: model.Is(""), Images: model.Is(model.Set[string]{}), Keys: model.Is(model.PublicKeys),
		Certs: model.NotInstalled(), Backends: model.Is(model.HostSet{}), EtcdBackends: model.Is(model.HostSet{}), Named: model.Is(model.NoWay)}
	if ways == Virtual {
		h.Backends = model.Is(masters)
		router(&h, masters)
	}
	if ways == HAProxy {
		h.Backends, h.VIPHeld, h.Named = model.Is(masters), model.Is(true), model.Is(model.SharedAddress)
		for v, d := range map[model.Component]string{model.HAProxy: "haproxy-" + masters.String(), model.Keepalived: "keepalived"} {
			h.Components[v] = model.ComponentState{Disk: model.Is(d), Running: model.Is(d)}
		}
	}
	return h
}

// router makes a host's quorate-lb a virtual router.
func router(h *model.Host, masters model.HostSet) {
	by := model.Is(model.Balancer.String() + "-" + masters.String() + "-vip")
	h.Components[model.Balancer] = model.ComponentState{Disk: by, Running: by}
	h.VIPHeld, h.Router = model.Is(true), model.Is(true)
}

// byKubeadm makes static pods of a host's control plane, which know no other
// host. kube-proxy is a pod of the cluster's.
func byKubeadm(h *model.Host, id model.HostID) {
	h.Components[model.KubeProxy] = model.ComponentState{}
	if !h.Roles.Has(model.ControlPlane) {
		return
	}
	h.EtcdVia = model.Is(model.Way{Kind: model.EachDirectly, Backends: model.SetOf(id)})
	for _, v := range []model.Component{model.Etcd, model.APIServer, model.ControllerManager, model.Scheduler} {
		by := model.Is(v.String() + " by kubeadm")
		h.Components[v] = model.ComponentState{Disk: by, Running: by, Pod: true}
	}
}

// detour takes the front door away, and leads a worker by another way.
func detour(h *model.Host, w model.Way) {
	h.Components[model.FrontDoor] = model.ComponentState{}
	h.Backends, h.Named = model.Is(model.HostSet{}), model.Is(model.NoWay)
	if h.Roles.Has(model.ControlPlane) {
		return
	}
	h.Via = model.Is(w)
	by := model.Is(model.Kubelet.String() + " by " + w.String())
	h.Components[model.Kubelet] = model.ComponentState{Disk: by, Running: by}
}

// named leads the endpoint's name elsewhere. The kubelet goes by it, as with a balancer
// of its own.
func named(h *model.Host, to model.WayKind, was model.Host) {
	h.Named, h.System = model.Is(to), model.Valid(h.System.Or(model.Installed{}).Digest+" "+to.String())
	h.Components[model.Kubelet] = was.Components[model.Kubelet]
}

// MadeBy is Made with other ways.
func MadeBy(ways Ways, cps, workers string) model.Cluster {
	w := WantBy(ways, cps, workers)
	was := Nothing()
	for name := range w.Addons {
		was.Addons[name] = model.NotInstalled()
	}
	c := plan.Make(Fresh(w, was), w, step.Rules()).Last()
	for id, h := range w.Hosts { // its pods come by themselves
		c.Edit(id, func(to *model.Host) { to.ProxyServer = h.ProxyServer })
	}
	return c
}
