package goal

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
)

// leaving are the hosts that the file does not name and that may still run
// pods: others keep their way to these until the last one has moved. What a
// host of the file has taken over is not theirs any more.
func leaving(nodes []topology.Node, seen map[model.HostID]HostTraits) (out []topology.Node) {
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		s := seen[id]
		if s.Address == "" || s.PodCIDR == "" || slices.ContainsFunc(nodes, func(n topology.Node) bool {
			return n.Name == string(id) || n.Address == s.Address || n.PodCIDR == s.PodCIDR
		}) {
			continue
		}
		out = append(out, topology.Node{Name: string(id), Address: s.Address, PodCIDR: s.PodCIDR})
	}
	return out
}

// assignPodCIDRs makes the nodes of the file, each with its share of the pod network:
// the one it has, or the first that is free. So the share is known before the
// node is, and its network before its first pod.
func assignPodCIDRs(file *spec.Cluster, seen map[model.HostID]HostTraits) ([]topology.Node, error) {
	taken := map[string]model.HostID{}
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		share := seen[id].PodCIDR
		if share == "" {
			continue
		}
		// Of a host that was dead when it was taken out of the file, the share
		// may have gone to another: the file's hosts keep theirs.
		_, stays := file.Host(string(id))
		other, double := taken[share]
		if _, both := file.Host(string(other)); double && stays && both {
			return nil, fmt.Errorf("%s and %s both hold the pod network %s; drain one, remove %s there, and apply again", other, id, share,
				LayoutOf(file).PodNetwork.Conflist)
		}
		if !double || stays {
			taken[share] = id
		}
	}
	etcd := map[string]bool{}
	for _, h := range file.EtcdHosts() {
		etcd[h.Name] = true
	}
	next := 0
	var nodes []topology.Node
	for _, h := range file.Spec.Hosts {
		n := topology.Node{Name: h.Name, Address: h.InternalAddress, ControlPlane: h.Has(spec.RoleControlPlane),
			Worker: h.Has(spec.RoleWorker), Etcd: etcd[h.Name]}
		if n.Address == "" {
			n.Address = h.Address
		}
		if file.Spec.Network.CNI == "bridge" && (n.ControlPlane || n.Worker) {
			n.PodCIDR = seen[model.HostID(h.Name)].PodCIDR
			for n.PodCIDR == "" {
				var p netip.Prefix
				var err error
				if p, err = file.PodCIDRs(next); err != nil {
					return nil, fmt.Errorf("pod network of %s: %w", h.Name, err)
				}
				next++
				if _, used := taken[p.String()]; !used {
					n.PodCIDR = p.String()
				}
			}
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}
