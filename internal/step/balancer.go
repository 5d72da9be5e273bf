package step

import (
	"cmp"
	"errors"

	"quorate.dev/quorate/internal/model"
)

var balancer = traits{
	group:   foundation,
	reloads: true,
	ready:   Run.balancerReady,
	fits: func(have, want *model.Host) bool {
		return model.Same(have.Backends, want.Backends) && model.Same(have.EtcdBackends, want.EtcdBackends) && !have.EtcdStale &&
			have.Router.Is(true) == want.Router.Is(true) && (!want.Router.Is(true) || have.VIPHeld.Is(true))
	},
	wrong: func(have *model.Host) string {
		switch {
		case have.Router.Why() != "":
			return "it takes no part in the virtual address: " + have.Router.Why()
		case have.Router.Is(true) && !have.VIPHeld.Is(true):
			return cmp.Or(have.VIPHeld.Why(), "no host holds the virtual address")
		}
		return ""
	},
	runs: func(h, want *model.Host) {
		h.Backends, h.EtcdBackends, h.EtcdStale = want.Backends, want.EtcdBackends, false
		if h.Router = want.Router; want.Router.Is(true) {
			h.VIPHeld = want.VIPHeld
		}
	},
	stopped: func(h *model.Host) { h.Router = model.Is(false) },
	turns:   turnsRouter,
	halts: func(have, want *model.Host) (out []model.Component) {
		if want.Router.Is(true) && have.Runs(model.Keepalived) {
			out = append(out, model.Keepalived)
		}
		return append(out, endsAPIServer(have, want)...)
	},
}

func (s Run) balancerReady(c model.Cluster, h model.Host) error {
	if !h.Roles.Node() {
		if err := hasAuthority(h); err != nil {
			return err
		}
	}
	if h.Runs(model.Keepalived) && s.Want.Router.Is(true) {
		if err := s.handsOver(c); err != nil {
			return err
		}
	}
	return s.doorReady(c, h, true)
}

// turnsRouter: what a virtual router may do that others may not, a process gets at
// its start only.
func turnsRouter(have, want *model.Host) bool {
	return have.Runs(model.Balancer) && have.Router.Known() && have.Router.Is(true) != want.Router.Is(true)
}

// endsAPIServer: an API server that has served an etcd cluster which was
// superseded remembers what that held. It ends before its way leads to the new
// one. It ends in order, too, before its only way to etcd restarts.
func endsAPIServer(have, want *model.Host) []model.Component {
	through := have.EtcdVia.Or(model.Way{}).Kind == model.LocalBalancer
	if have.Runs(model.APIServer) && (have.EtcdStale || through && turnsRouter(have, want)) {
		return []model.Component{model.APIServer}
	}
	return nil
}

// handsOver is the need of what takes the virtual address's holder on a host out of
// service: another host can hold it, and no node goes by it.
func (o on) handsOver(c model.Cluster) error {
	if err := virtualUnused(c); err != nil {
		return err
	}
	return o.anotherCarries(c)
}

func (o on) anotherCarries(c model.Cluster) error {
	others := false
	for _, id := range c.Critical() {
		switch h := c.Hosts[id]; {
		case id == o.ID || !h.Up() || !h.Roles.Has(model.LoadBalancerHost):
		case h.Shares():
			return nil
		default:
			others = true
		}
	}
	if others {
		return errors.New("no other load balancer takes part in the virtual address yet")
	}
	return nil
}
