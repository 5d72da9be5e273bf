package goal

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
)

// leaving are the hosts that the file does not name and that may still run
// pods: others keep their way to these until the last one has moved. What a
// host of the file has taken over is not theirs any more.
func leaving(file *spec.Cluster, nodes []topology.Node, seen map[model.HostID]HostTraits) (out []topology.Node) {
	held, _ := shares(file, seen)
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		s := seen[id]
		s.PodCIDR = held[id]
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
func assignPodCIDRs(file *spec.Cluster, seen map[model.HostID]HostTraits) (nodes []topology.Node,
	disputed map[model.HostID]string, err error) {
	held, disputed := shares(file, seen)
	taken := map[string]bool{}
	for _, share := range held {
		taken[share] = true
	}
	etcd := map[string]bool{}
	for _, h := range file.EtcdHosts() {
		etcd[h.Name] = true
	}
	next := 0
	for _, h := range file.Spec.Hosts {
		n := topology.Node{Name: h.Name, Address: h.InternalAddress, ControlPlane: h.Has(spec.RoleControlPlane),
			Worker: h.Has(spec.RoleWorker), Etcd: etcd[h.Name], LoadBalancer: h.Has(spec.RoleLoadBalancer)}
		if n.Address == "" {
			n.Address = h.Address
		}
		if file.Spec.Network.CNI == "bridge" && (n.ControlPlane || n.Worker) {
			n.PodCIDR = held[model.HostID(h.Name)]
			for n.PodCIDR == "" {
				var p netip.Prefix
				var err error
				if p, err = file.PodCIDRs(next); err != nil {
					return nil, nil, fmt.Errorf("pod network of %s: %w", h.Name, err)
				}
				next++
				if !taken[p.String()] {
					n.PodCIDR = p.String()
				}
			}
		}
		nodes = append(nodes, n)
	}
	return nodes, disputed, nil
}

// shares are the shares of the pod network that hosts have. The API server's
// word goes before the host's. What is no share of this pod network counts for
// nothing, and each share is one host's: of two, the one that the file names,
// that the API server knows, or knew first; the others of the file are disputed.
func shares(file *spec.Cluster, seen map[model.HostID]HostTraits) (held, disputed map[model.HostID]string) {
	held, disputed = map[model.HostID]string{}, map[model.HostID]string{}
	hosts := map[string][]model.HostID{}
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		share := cmp.Or(shareOf(file, seen[id].NodePodCIDR), shareOf(file, seen[id].PodCIDR))
		if share != "" {
			hosts[share] = append(hosts[share], id)
		}
	}
	at := map[model.HostID]int{}
	for i, h := range file.Spec.Hosts {
		at[model.HostID(h.Name)] = i + 1
		if !h.Has(spec.RoleControlPlane) {
			at[model.HostID(h.Name)] += len(file.Spec.Hosts) // workers after control planes
		}
	}
	no := func(b bool) int {
		if b {
			return 0
		}
		return 1
	}
	for share, ids := range hosts {
		slices.SortFunc(ids, func(a, b model.HostID) int {
			x, y := seen[a], seen[b]
			return cmp.Or(no(at[a] != 0)-no(at[b] != 0), no(x.NodePodCIDR != "")-no(y.NodePodCIDR != ""), x.NodeSince.Compare(y.NodeSince),
				at[a]-at[b], strings.Compare(string(a), string(b)))
		})
		held[ids[0]] = share
		for _, id := range ids[1:] {
			if at[id] != 0 {
				disputed[id] = fmt.Sprintf("it holds the pod network %s, which is that of %s; drain it, remove %s there, delete its node, "+
					"and apply again", share, ids[0], LayoutOf(file).PodNetwork.Conflist)
			}
		}
	}
	return held, disputed
}

// shareOf is text if that is a share of the pod network, else "".
func shareOf(file *spec.Cluster, text string) string {
	n := file.Spec.Network
	all, err := netip.ParsePrefix(n.PodCIDR)
	if err != nil {
		return ""
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p != p.Masked() || p.Bits() != n.NodeCIDRMaskSize || !all.Contains(p.Addr()) {
		return ""
	}
	return p.String()
}
