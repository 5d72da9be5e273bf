package observe

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
)

// maxOffset is how far a host's clock may be off: certificates are dated back
// by five minutes, and leases and logs need better than that.
const maxOffset = 30 * time.Second

// obstacle is what forbids quorate to touch a host, with what to do about it;
// "" is nothing.
func obstacle(g *goal.Goal, o *Observation, id model.HostID, f Facts) string {
	h, wanted := g.Hosts[id]
	if f.Marker != "" && f.Marker != g.Want.Name {
		return fmt.Sprintf("it belongs to the cluster %q; run `quorate reset` with that cluster's file first", f.Marker)
	}
	if !wanted {
		return ""
	}
	if why := stranger(g, o, id, f); why != "" {
		return why
	}
	if h.Found { // what others have put there is what was adopted
		if why := onlyWorker(g, h, f); why != "" {
			return why
		}
		return strings.Join(inTheWay(g, o, h, id, f), "; also: ")
	}
	if len(f.Foreign) > 0 {
		return fmt.Sprintf("it has components that quorate did not install: %s; remove them first, or choose another host",
			strings.Join(f.Foreign, ", "))
	}
	if f.Marker == "" && f.Data {
		return fmt.Sprintf("it has etcd data in %s that quorate did not make; move that away first, or choose another host", g.Layout.Etcd.Data)
	}
	return strings.Join(inTheWay(g, o, h, id, f), "; also: ")
}

// onlyWorker: a host that others have joined as a worker is not made a control plane
// in place. Its kubelet, container runtime and addresses are theirs.
func onlyWorker(g *goal.Goal, h *goal.Host, f Facts) string {
	at := g.Layout.PKI
	if !h.Node.ControlPlane || f.Data || f.Up(model.APIServer) || len(f.Files[at.CA.Key])+len(f.Files[at.Leaf(pki.APIServer).Cert]) > 0 {
		return ""
	}
	return "the file calls it a control plane, but others have set it up and nothing of one is on it: no API server and no certificate of " +
		"one, no key of the CA, no data of etcd; if it is a worker, remove it from the file and apply, then add it anew as a control " +
		"plane; if it was a control plane, restore its " + at.Dir + " first"
}

// inTheWay is what must be put right on a machine before it can be the host. All of
// it is named at once.
func inTheWay(g *goal.Goal, o *Observation, h *goal.Host, id model.HostID, f Facts) (whys []string) {
	note := func(format string, args ...any) { whys = append(whys, fmt.Sprintf(format, args...)) }
	if got := map[string]string{"x86_64": "amd64", "aarch64": "arm64"}[f.Arch]; got != goal.Arch {
		note("its processor is %s; the artefacts are for %s", f.Arch, goal.Arch)
	}
	if off := f.Offset.Abs(); off > maxOffset {
		note("its clock is %s off from this machine's; synchronise it (chrony, systemd-timesyncd), then apply again",
			f.Offset.Round(time.Second))
	}
	if a, err := netip.ParseAddr(h.Node.Address); err == nil && !slices.Contains(f.Addresses, a.String()) {
		if has := strings.Join(f.Addresses, ", "); f.Marker != "" {
			note("it was set up with the address %s, which it no longer has (it has %s); restore that address, or %s", h.Node.Address, has,
				anew(id, "its new address"))
		} else {
			note("it has no address %s (it has %s); correct internalAddress in the file", h.Node.Address, has)
		}
	}
	if why := noInterface(g, h, f); why != "" {
		note("%s", why)
	}
	if why := unheard(g, o, h, id, f); why != "" {
		note("%s", why)
	}
	if fail, set := g.File.Spec.KubeletConfiguration["failSwapOn"]; f.Swap && !h.Found && !(set && fail == false) {
		note("swap is on, which keeps the kubelet from starting; run `swapoff -a` and remove it from /etc/fstab, or set " +
			"kubeletConfiguration.failSwapOn: false")
	}
	if why := twin(g, o, id, f, false); why != "" {
		whys = append(whys, why)
	}
	return append(whys, taken(g, h, f)...)
}

// noInterface: who may hold the virtual address must be told on which interface it
// announces that. By default that is the one with the host's own address, and the loopback
// interface leads to nobody. A host without that address is told so anyway.
func noInterface(g *goal.Goal, h *goal.Host, f Facts) string {
	lb, on := g.File.Spec.LoadBalancer, f.Interfaces[h.Node.Address]
	switch {
	case !h.Context.Holds() || lb.VIP.Interface != "" || on != "" && on != "lo",
		!slices.Contains(f.Addresses, h.Node.Address):
		return ""
	case on == "":
		on = "no interface that was seen"
	}
	return fmt.Sprintf("its address %s is on %s, which does not say where to announce %s; name the interface in the file: "+
		"spec.loadBalancer.vip.interface", h.Node.Address, on, lb.VIP.Prefix().Addr())
}

// leftOut is why nothing is done on a host of the file although nothing on it
// forbids that: it claims what is another's.
func leftOut(g *goal.Goal, o *Observation, id model.HostID, f Facts) string {
	if why := g.LeftOut[id]; why != "" {
		return why
	}
	if _, wanted := g.Hosts[id]; !wanted {
		return ""
	}
	return twin(g, o, id, f, true)
}

// twin finds another host with the machine-id of a new one: one that is set up,
// or one that is as new. A host that is set up is nobody's twin: whoever has its
// machine-id may have copied it.
func twin(g *goal.Goal, o *Observation, id model.HostID, f Facts, setUp bool) string {
	if h := g.Hosts[id]; f.Marker != "" || f.MachineID == "" || h != nil && h.Found {
		return ""
	}
	for _, other := range o.IDs() {
		_, both := g.Hosts[other]
		of := o.Facts[other]
		if other == id || of.Err != nil || of.MachineID != f.MachineID || (of.Marker != "") != setUp {
			continue
		}
		if setUp || !both || before(g, other, id) {
			return fmt.Sprintf("it has the machine-id of %s; give it its own (rm /etc/machine-id; systemd-machine-id-setup)", other)
		}
	}
	return ""
}

// before: of two new hosts the control plane is the one that keeps its
// machine-id, for a worker may have copied it.
func before(g *goal.Goal, a, b model.HostID) bool {
	worker := func(id model.HostID) int { return btoi(!g.Want.Hosts[id].Roles.Has(model.ControlPlane)) }
	if d := worker(a) - worker(b); d != 0 {
		return d < 0
	}
	return a < b
}

// Twins are the hosts that are set up and have one machine-id. They are copies of
// one machine, or one of them lies: that blocks nobody, and is worth a word.
func (o *Observation) Twins() (sets [][]model.HostID) {
	by := map[string][]model.HostID{}
	for _, id := range o.IDs() {
		if f := o.Facts[id]; f.Err == nil && f.Marker != "" && f.MachineID != "" {
			by[f.MachineID] = append(by[f.MachineID], id)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(by)) {
		if len(by[at]) > 1 {
			sets = append(sets, by[at])
		}
	}
	return sets
}

// anew is how a host changes what cannot be changed in place.
func anew(id model.HostID, with string) string {
	return fmt.Sprintf("remove %s from the file and apply, then add it with %s and apply again", id, with)
}

// stranger finds that a machine is set up as another host of the cluster, or
// that the cluster knows its name as another machine's.
func stranger(g *goal.Goal, o *Observation, id model.HostID, f Facts) string {
	if f.Named != "" && f.Named != string(id) {
		return fmt.Sprintf("it is set up as %s, and a host keeps its name: call it %s in the file again, or take it out of the file and "+
			"apply, so that it is cleaned, then add it as %s and apply again", f.Named, f.Named, id)
	}
	if old, other := o.API.Elsewhere[id]; other && f.Marker == "" {
		return fmt.Sprintf("the cluster knows %s as the machine at %s, and this is another one: take %s out of the file and apply, so "+
			"that the old one leaves (if that is gone for good, run `quorate forget %s`); then add it with its new address and "+
			"apply again", id, old, id, id)
	}
	at, address := peerAddress(o.Etcd.Members[id]), g.Hosts[id].Node.Address
	if f.Data && at != "" && at != address {
		return fmt.Sprintf("etcd knows it at the address %s, and the file says %s: a member keeps its address; restore %s, or %s", at,
			address, at, anew(id, "its new address"))
	}
	return ""
}

// peerAddress is the address by which the others call a member.
func peerAddress(m etcd.Member) string {
	if len(m.PeerURLs) == 0 {
		return ""
	}
	return etcd.HostOf(m.PeerURLs[0])
}

// taken finds processes of somebody else on ports that are needed.
func taken(g *goal.Goal, h *goal.Host, f Facts) (whys []string) {
	for v := range model.NumComponents {
		if h.Services[v] == nil || f.Up(v) || f.Services[v].Moving {
			continue
		}
		want := slices.Clone(g.Layout.Ports(v))
		if slices.Contains(model.Balancers, v) {
			want = append(want, fmt.Sprint(g.File.EndpointPort()))
		}
		for _, l := range f.Listeners {
			// Of nobody: its process came or went while it was looked at.
			other := slices.ContainsFunc(model.Balancers, func(d model.Component) bool { return l.Unit == g.Layout.Unit(d) })
			if other && slices.Contains(model.Balancers, v) {
				continue // they share the port until one takes the other's place
			}
			if l.Unit == podsGroup && h.Services[v].IsPod() {
				continue // it was started again since the pods were looked at
			}
			if slices.Contains(want, l.Port) && l.Unit != g.Layout.Unit(v) && l.PID != 0 {
				why := fmt.Sprintf("port %s, which %s needs, is in use by %s (pid %d); stop it first", l.Port, v, l.Process, l.PID)
				if !slices.Contains(whys, why) { // it may listen on several addresses
					whys = append(whys, why)
				}
			}
		}
	}
	return whys
}
