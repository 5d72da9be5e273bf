package observe

import (
	"net"
	"net/netip"
	"net/url"
	"slices"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
)

// ways are how a host reaches API servers, and its API server etcd.
func (o *Observation) ways(h *model.Host, g *goal.Goal, id model.HostID, f Facts) {
	h.Via, h.EtcdVia = model.Is(model.Way{}), model.Is(model.Way{})
	h.Backends, h.EtcdBackends = model.Is(model.HostSet{}), model.Is(model.HostSet{})
	h.VIPHeld, h.Router = model.Is(false), model.Is(false)
	if h.Runs(model.FrontDoor) {
		h.Backends = model.Is(o.Named(g, f.Backends))
	}
	if h.Runs(model.Balancer) {
		f.Balancer.leads(h, g, hostOf(g, id).Services[model.FrontDoor] != nil)
		h.Router = f.Balancer.Router
	}
	if h.Runs(model.HAProxy) && !h.Runs(model.Balancer) { // where both run, HAProxy only finishes what it has
		h.Backends = model.Is(o.Named(g, f.Behind))
	}
	if h.Runs(model.APIServer) {
		h.EtcdVia = model.Unknown[model.Way]("the flags of its API server were not seen")
		if len(f.EtcdServers) > 0 {
			h.EtcdVia = model.Is(o.etcdWay(g, id, f))
		}
		if h.EtcdVia.Is(model.Way{Kind: model.LocalBalancer}) && h.EtcdBackends.Is(model.HostSet{}) {
			h.EtcdBackends = model.Unknown[model.HostSet]("what lies behind its balancer to etcd was not seen")
		}
	}
	if h.Runs(model.Kubelet) {
		h.Via = o.apiWay(g, id, f)
	}
}

// apiWay is the kubelet's way: what the name in its kubeconfig means on that
// host, unless its connections show that it uses something else.
func (o *Observation) apiWay(g *goal.Goal, id model.HostID, f Facts) model.Known[model.Way] {
	u, err := url.Parse(f.Server)
	if err != nil || u.Host == "" {
		return model.Unknown[model.Way]("the kubelet's kubeconfig names no server")
	}
	at, port := f.Resolved, u.Port()
	if len(at) == 0 {
		at = []string{u.Hostname()}
	}
	// One that runs as it should looks the name up whenever it connects: what it
	// has open may lead to where the name led before.
	want := hostOf(g, id).Services[model.Kubelet]
	follows := want != nil && f.Services[model.Kubelet].Read == want.Stamp() && len(f.Resolved) > 0
	if to, by := f.elsewhere(at, port); len(to) > 0 && !follows {
		at, port = to, by
	}
	// Beside a line of quorate's in the hosts file another one may give the name, too.
	_, to := topology.Led(f.HostsBlock, u.Hostname(), g.File.Spec.VIPAddress())
	if to != "" && slices.Contains(at, to) && slices.Contains(f.Resolved, to) {
		at = []string{to}
	}
	own := port == g.Layout.APIServer.Port
	switch {
	case len(at) == 1 && slices.Contains(o.virtual(g), at[0]):
		return model.Is(model.Way{Kind: model.SharedAddress})
	case len(at) == 1 && f.own(at[0]) && own:
		return model.Is(model.Way{Kind: model.OwnServer})
	case len(at) == 1 && f.own(at[0]):
		return model.Is(model.Way{Kind: model.LocalBalancer})
	case len(at) == 1:
		host, known := o.resident(g, at[0])
		if known && own && (hostOf(g, host).Node.ControlPlane || o.Facts[host].Up(model.APIServer)) {
			return model.Is(model.Way{Kind: model.FixedServer, Backends: model.SetOf(host)})
		}
		w := model.Way{Kind: model.SharedBalancer, Backends: o.apiServers()}
		if known {
			w.Carriers = model.SetOf(host)
		}
		return model.Is(w)
	}
	// A name with several addresses: each is a server, or a balancer before them.
	w := model.Way{Kind: model.SharedBalancer}
	for _, a := range at {
		if host, known := o.resident(g, a); known && own {
			w.Backends = w.Backends.With(host)
		}
	}
	if w.Backends.IsEmpty() {
		w.Backends = o.apiServers()
	}
	return model.Is(w)
}

// elsewhere is where the kubelet's connections lead if none of them leads where its
// file does: it has read another.
func (f Facts) elsewhere(at []string, port string) (to []string, by string) {
	for _, p := range f.Peers {
		host, its, err := net.SplitHostPort(p)
		if err != nil {
			continue
		}
		if its == port && slices.Contains(at, host) {
			return nil, ""
		}
		if by == "" || its == by {
			to, by = append(to, host), its
		}
	}
	return to, by
}

// virtual are the virtual addresses of the cluster's load balancers: the file's, and
// those that a Keepalived or quorate-lb has been given before.
func (o *Observation) virtual(g *goal.Goal) (out []string) {
	if vip := g.File.Spec.VIPAddress(); vip != "" {
		out = append(out, vip)
	}
	for id, f := range o.Facts {
		if o.balances(g, id) {
			out = append(append(out, f.Virtual...), f.Balancer.Virtual...)
		}
	}
	return out
}

// balances says that a host is there to balance for the others, or was until it left
// the file. What any other host says of a virtual address counts for nothing: it
// would change how the ways of all are judged.
func (o *Observation) balances(g *goal.Goal, id model.HostID) bool {
	if want, named := g.Want.Hosts[id]; named {
		return want.Roles.Has(model.LoadBalancerHost) || want.VIPHeld.Is(true)
	}
	d, left := o.API.Left(id)
	return left && slices.Contains(d.Roles, spec.RoleLoadBalancer)
}

// held says of the hosts that may hold the virtual address whether one of them does.
// While no API server answers none may. One that was not seen may hold it.
func (o *Observation) held(g *goal.Goal, c *model.Cluster) {
	all := o.virtual(g)
	if len(all) == 0 {
		return
	}
	is := model.Is(len(c.Serving()) == 0)
	for _, id := range c.IDs() {
		switch f := o.Facts[id]; {
		case !o.balances(g, id):
		case f.Err == nil && slices.ContainsFunc(f.Addresses, func(a string) bool { return slices.Contains(all, a) }):
			is = model.Is(true)
		case f.Err != nil && is.Is(false):
			is = model.Unknown[bool]("no host that answers holds the virtual address")
		}
	}
	for _, id := range c.IDs() {
		if h := c.Hosts[id]; h.Up() && (h.Runs(model.Keepalived) || h.Router.Is(true)) && o.balances(g, id) {
			h.VIPHeld = is
			c.Put(id, h)
		}
	}
}

// etcdWay is the way of the API server that runs: the members themselves, or
// one loopback address where a balancer listens.
func (o *Observation) etcdWay(g *goal.Goal, id model.HostID, f Facts) model.Way {
	w := model.Way{Kind: model.EachDirectly}
	for _, server := range f.EtcdServers {
		u, err := url.Parse(server)
		switch {
		case err != nil || !loopback(u.Hostname()):
			w.Backends = w.Backends.With(o.at(g, server))
		case u.Port() == g.Layout.Etcd.ClientPort:
			w.Backends = w.Backends.With(id)
		case len(f.EtcdServers) == 1:
			return model.Way{Kind: model.LocalBalancer}
		}
	}
	return w
}

// apiServers are the hosts whose API servers run.
func (o *Observation) apiServers() (set model.HostSet) {
	for id, f := range o.Facts {
		if f.Err == nil && f.Up(model.APIServer) {
			set = set.With(id)
		}
	}
	return set
}

// resident is the host whose own address or name it is. An address that only
// stands on a host for now, as a virtual one, is nobody's.
func (o *Observation) resident(g *goal.Goal, address string) (model.HostID, bool) {
	for id, h := range g.Hosts {
		if h.Node.Address == address || string(id) == address {
			return id, true
		}
	}
	for id, n := range o.API.Nodes { // one that leaves still serves those that go to it
		if n.Address == address && g.Hosts[id] == nil {
			return id, true
		}
	}
	return "", false
}

// own says that an address leads to the host itself, whichever host it is.
func (f Facts) own(address string) bool {
	return loopback(address) || slices.Contains(f.Addresses, address)
}

func loopback(address string) bool {
	ip, err := netip.ParseAddr(address)
	return address == "localhost" || err == nil && ip.IsLoopback()
}
