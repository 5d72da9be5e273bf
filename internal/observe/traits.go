package observe

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
)

// hostTraits are what goals depend on of the hosts seen so far. A host's share of
// the pod network is told by its own configuration, or else by the routes that
// others have to it.
func (o *Observer) hostTraits() map[model.HostID]goal.HostTraits {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := map[model.HostID]goal.HostTraits{}
	var past []string
	for _, f := range o.facts {
		past = append(past, f.supersededIDs()...)
	}
	routes, ways := o.routes()
	for id, f := range o.facts {
		if cidr := subnet(f.Conflist); cidr != "" {
			n := o.nodes[id]
			s := goal.HostTraits{PodCIDR: cidr, NodePodCIDR: n.PodCIDR, NodeSince: n.Since} // a host that leaves holds its share till it is clean
			if f.Err == nil {                                                               // of one that does not answer, no pod does
				s.Address = cmp.Or(n.Address, ways[cidr])
			}
			out[id] = s
		}
	}
	for _, h := range o.File.Spec.Hosts {
		f := o.facts[model.HostID(h.Name)]
		address := h.InternalAddress
		if address == "" {
			address = h.Address
		}
		s := goal.HostTraits{CgroupV1: f.CgroupV1, ResolvConf: f.ResolvConf, StreamModule: f.StreamModule,
			Interface: f.Interfaces[address], PodCIDR: subnet(f.Conflist)}
		n := o.nodes[model.HostID(h.Name)]
		s.NodePodCIDR, s.NodeSince = n.PodCIDR, n.Since
		s.EtcdCluster = current(f, past)
		if o.File.IsFound(h.Name) {
			_, asked := o.facts[model.HostID(h.Name)]
			s.Blank, s.Certs = asked && (f.blank() || f.ours()), f.Files
		}
		if s.PodCIDR == "" {
			s.PodCIDR = routes[address]
		}
		out[model.HostID(h.Name)] = s
	}
	return out
}

// routes are the shares of the pod network by address, and the other way round,
// as hosts have routes to them: any host may say anything, so that the control
// planes' word goes before the others'.
func (o *Observer) routes() (shares, addresses map[string]string) {
	shares, addresses = map[string]string{}, map[string]string{}
	ids := slices.Sorted(maps.Keys(o.facts))
	slices.SortStableFunc(ids, func(a, b model.HostID) int { return o.trusted(b) - o.trusted(a) })
	for _, id := range ids {
		for _, l := range lines(o.facts[id].Routes) {
			w := strings.Fields(l)
			if len(w) < 5 || w[0] != "route" || w[1] != "replace" {
				continue
			}
			if _, told := shares[w[4]]; !told {
				shares[w[4]] = w[2]
			}
			if _, told := addresses[w[2]]; !told {
				addresses[w[2]] = w[4]
			}
		}
	}
	return shares, addresses
}

// trusted is 1 for the control planes of the file, who could do anything anyway.
func (o *Observer) trusted(id model.HostID) int {
	if h, there := o.File.Host(string(id)); there && h.Has(spec.RoleControlPlane) {
		return 1
	}
	return 0
}

// learn remembers what the API server says of nodes, and tells whether that
// changes who has which share of the pod network.
func (o *Observer) learn(v APIView) bool {
	if v.Err != nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	changed := !maps.EqualFunc(o.nodes, v.Nodes, func(a, b kubeapi.NodeStatus) bool {
		return a.PodCIDR == b.PodCIDR && a.Since.Equal(b.Since) && a.Address == b.Address
	})
	o.nodes = v.Nodes
	return changed
}

// blank says that nothing of a cluster is on the host that others have set up.
func (f Facts) blank() bool {
	return f.Err == nil && f.Server == "" && !f.Data && f.KubeletCert == nil && !f.Up(model.Kubelet)
}

// ours says that quorate has brought programs to the host: a new machine may have the
// name of one that was found and has left.
func (f Facts) ours() bool { return len(f.Links) > 0 }

// current is the id of the etcd cluster that a host belongs to, "" when it is
// none or was superseded: by its data, or else by its way to etcd.
func current(f Facts, superseded []string) goal.EtcdCluster {
	of := goal.EtcdCluster{Data: f.DataOf, Way: f.Balancer.Cluster}
	if slices.Contains(superseded, of.Data) {
		of.Data = ""
	}
	if slices.Contains(superseded, of.Way) {
		of.Way = ""
	}
	return of
}

// subnet reads a host's share of the pod network off its CNI configuration.
func subnet(conflist string) string {
	var c struct {
		Plugins []struct {
			IPAM struct {
				Ranges [][]struct{ Subnet string }
			}
		}
	}
	if json.Unmarshal([]byte(conflist), &c) != nil {
		return ""
	}
	for _, p := range c.Plugins {
		for _, r := range p.IPAM.Ranges {
			if len(r) > 0 {
				if n, err := netip.ParsePrefix(r[0].Subnet); err == nil {
					return n.String()
				}
			}
		}
	}
	return ""
}
