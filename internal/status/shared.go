package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
)

// shared is a host that balances for the others, or for clients outside the cluster.
func (s *Status) shared(ob *observe.Observation, id model.HostID) LoadBalancer {
	h, f := ob.Have.Hosts[id], ob.Facts[id]
	out := LoadBalancer{Host: id, Asked: f.Err == nil, Up: h.Up() && h.Carries(), Backends: ids(h.Backends), Out: []string{}}
	vip := ob.Goal.File.Spec.VIPAddress()
	out.Holds = vip != "" && slices.Contains(f.Addresses, vip)
	for _, name := range slices.Sorted(maps.Keys(f.Rotation)) {
		if state := f.Rotation[name]; !strings.HasPrefix(state, "UP") {
			out.Out = append(out.Out, name)
		}
	}
	out.Out = append(out.Out, f.Balancer.Out...)
	return out
}

// virtual judges who holds the virtual address. On a host that does not answer it
// may be, too.
func (s *Status) virtual(ob *observe.Observation) {
	s.VirtualAddress = ob.Goal.File.Spec.VIPAddress()
	if s.VirtualAddress == "" || len(s.LoadBalancers) == 0 {
		return
	}
	holders, unseen := []string{}, false
	var able []model.HostID
	for _, b := range s.LoadBalancers {
		unseen = unseen || !b.Asked
		if b.Holds {
			holders = append(holders, string(b.Host))
		}
		if b.Up {
			able = append(able, b.Host)
		}
	}
	switch {
	case len(holders) == 0 && !unseen && len(s.Serving) > 0:
		var hosts []string
		for _, b := range s.LoadBalancers {
			hosts = append(hosts, string(b.Host))
		}
		s.problem("no host holds %s; look at journalctl -u %s on %s", s.VirtualAddress, ob.Goal.Layout.Unit(keeper(ob)),
			strings.Join(hosts, ", "))
	case len(holders) > 1:
		s.problem("%s hold %s at the same time: they do not hear each other's VRRP (IP protocol 112); look at the firewalls between them",
			strings.Join(holders, " and "), s.VirtualAddress)
	case len(able) == 1 && len(s.LoadBalancers) > 1:
		s.note("only %s can hold %s: losing it takes the address away", able[0], s.VirtualAddress)
	}
}

// keeper is the component that holds the virtual address.
func keeper(ob *observe.Observation) model.Component {
	if ob.Goal.Base.Builtin() {
		return model.Balancer
	}
	return model.Keepalived
}

// text is a load balancer in one line for people.
func (b LoadBalancer) text(address string) string {
	var says []string
	switch {
	case !b.Asked:
		return "could not be asked"
	case !b.Up:
		says = append(says, "down")
	default:
		says = append(says, "up")
	}
	if b.Holds {
		says = append(says, "holds "+address)
	}
	if len(b.Backends) > 0 {
		says = append(says, fmt.Sprintf("leads to %s", list(b.Backends)))
	}
	if len(b.Out) > 0 {
		says = append(says, strings.Join(b.Out, ", ")+" out of rotation")
	}
	return strings.Join(says, ", ")
}
