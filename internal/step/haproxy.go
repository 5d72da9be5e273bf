package step

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/internal/model"
)

// haproxy needs the cluster's CA certificate, by which it knows API servers.
var haproxy = traits{
	group:   foundation,
	reloads: true,
	ready:   Run.haproxyReady,
	halts:   insteadOfBalancer,
	fits:    func(have, want *model.Host) bool { return model.Same(have.Backends, want.Backends) },
	runs:    func(h, want *model.Host) { h.Backends = want.Backends },
	stopped: func(h *model.Host) { h.Backends = model.Is(model.HostSet{}) },
}

// keepalived moves to a host only where HAProxy leads to an API server, so that it
// may start at any time.
var keepalived = traits{
	group:       foundation,
	uncertified: true,
	reloads:     true,
	ready:       Run.keepalivedReady,
	halts:       insteadOfBalancer,
	fits:        func(have, want *model.Host) bool { return model.Same(have.VIPHeld, want.VIPHeld) },
	wrong:       func(*model.Host) string { return "no load balancer holds the virtual address" },
	runs:        func(h, want *model.Host) { h.VIPHeld = want.VIPHeld },
}

// haproxyReady: who already leads to API servers keeps one that answers. A server
// that does not answer yet may stand behind it: it is checked, and not used.
func (s Run) haproxyReady(c model.Cluster, h model.Host) error {
	if err := hasAuthority(h); err != nil {
		return err
	}
	if len(insteadOfBalancer(&h, s.Want)) > 0 {
		if err := s.anotherCarries(c); err != nil {
			return err
		}
	}
	serving := c.Serving()
	if wants := s.Want.Backends.Or(model.HostSet{}); h.Runs(model.HAProxy) && len(serving) > 0 && !wants.Any(serving) {
		return fmt.Errorf("none of the API servers that it should lead to answers (%s)", wants)
	}
	return nil
}

// keepalivedReady: once it runs there is nothing to wait for but HAProxy, without
// which no host takes the address.
func (s Run) keepalivedReady(c model.Cluster, h model.Host) error {
	if len(insteadOfBalancer(&h, s.Want)) > 0 { // they start in one step
		return s.haproxyReady(c, h)
	}
	if h.Runs(model.Keepalived) && !h.Runs(model.HAProxy) {
		return errors.New("HAProxy does not run there yet, and the address follows it")
	}
	return nil
}

// insteadOfBalancer: on a load balancer's own host quorate-lb ends before HAProxy and
// Keepalived take its port and the virtual address.
func insteadOfBalancer(have, want *model.Host) []model.Component {
	if have.Runs(model.Balancer) && want.Components[model.Balancer].Disk.Or("") == "" && !want.Roles.Node() {
		return []model.Component{model.Balancer}
	}
	return nil
}

// hasAuthority: a load balancer knows API servers by the cluster's CA.
func hasAuthority(h model.Host) error {
	if h.Keys.Or(model.NoKeys) == model.NoKeys || !h.Keys.Known() {
		return errors.New("it does not have the cluster's CA certificate yet")
	}
	return nil
}
