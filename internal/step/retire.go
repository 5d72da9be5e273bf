package step

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// Retire takes a host's load balancer of another kind out of service, once the
// wanted one has its place: it accepts nothing any more, and ends when its last
// connection has, after an hour at most.
type Retire struct {
	on
	Old model.Component
}

// About implements plan.Step.
func (s Retire) About() plan.About {
	return plan.About{Kind: "retire-" + s.Old.String(), Host: s.ID, Title: "retire " + doorName[s.Old],
		Why: "the load balancer is of another kind now; open connections may end by themselves for an hour"}
}

// Need implements plan.Step.
func (s Retire) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	if err := s.outsideLeads(c); err != nil {
		return err
	}
	if !wantsDoor(s.Want) && !shares(c) && !s.Want.EndpointUp.Is(true) {
		return needsOperator("the cluster has an endpoint and load balancers that lead to it, which the file does not name any more: quorate " +
			"cannot take an endpoint away yet; put controlPlaneEndpoint and loadBalancer back into the file")
	}
	h := c.Hosts[s.ID]
	for _, v := range slices.Concat(model.Doors, sharedParts) {
		if v != s.Old && s.Want.Components[v].Disk.Or("") != "" && !fits(&h, s.Want, v) {
			return fmt.Errorf("%s does not have its place yet", v)
		}
	}
	if !wantsDoor(s.Want) {
		if err := s.unusedDoor(&h); err != nil {
			return err
		}
	}
	if through := (model.Way{Kind: model.LocalBalancer}); s.Old == model.Balancer && h.EtcdVia.Is(through) && !s.Want.EtcdVia.Is(through) {
		return errors.New("its API server reaches etcd through it")
	}
	return nil
}

// unusedDoor: with another kind of way the name must lead away from the door first.
func (s Retire) unusedDoor(h *model.Host) error {
	switch {
	case !model.Same(h.System, s.Want.System):
		return errors.New("the endpoint's name still leads to it")
	case h.Via.Is(model.Way{Kind: model.LocalBalancer}):
		return errors.New("its kubelet still goes through it")
	case s.Want.EndpointUp.Is(true) && h.ProxyServer.Or("") != "" && !model.Same(h.ProxyServer, s.Want.ProxyServer):
		return errors.New("its kube-proxy still goes through it")
	}
	return s.outsideReady(h)
}

// Effect implements plan.Step.
func (s Retire) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		h.Components[s.Old] = model.ComponentState{Disk: model.Is(""), Running: model.Is("")}
		if !wantsDoor(s.Want) {
			h.Backends = s.Want.Backends
		}
		if s.Old == model.Balancer {
			h.EtcdBackends, h.EtcdStale, h.Router = s.Want.EtcdBackends, false, model.Is(false)
		}
	})
}

// Interim implements plan.Step.
func (s Retire) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		h.Components[s.Old] = model.ComponentState{Disk: model.Unknown[string]("being removed"), Running: model.Is("")}
	})
}

var doorName = map[model.Component]string{model.FrontDoor: "nginx", model.Balancer: "quorate-lb"}

// drainSignal makes a load balancer close its listeners and finish what it has.
var drainSignal = map[model.Component]string{model.FrontDoor: "QUIT", model.Balancer: "TERM"}

// Do implements Action. Without its unit file systemd does not start it again,
// and ends it at once when the host stops. The key that quorate-lb asked etcd with
// goes: its successor has the same user. Connections that wait to be accepted
// when a listener closes move to the other listeners of the address
// (net.ipv4.tcp_migrate_req: Documentation/networking/ip-sysctl.rst).
func (s Retire) Do(ctx context.Context, e Env) error {
	at := e.Goal.Layout
	_, err := sh(ctx, e, "retire", `systemctl disable -q --no-reload "$1" 2>/dev/null || true
rm -f "$2"
rm -rf "$4"
systemctl daemon-reload
systemctl is-active -q "$1" || { systemctl reset-failed -q "$1" 2>/dev/null || true; exit 0; }
was=$(sysctl -n net.ipv4.tcp_migrate_req 2>/dev/null || true)
[ -z "$was" ] || sysctl -q -w net.ipv4.tcp_migrate_req=1 || true
systemctl kill --kill-who=main -s "$3" "$1"
sleep 2
[ -z "$was" ] || sysctl -q -w "net.ipv4.tcp_migrate_req=$was" || true`, at.Service(s.Old), at.UnitPath(s.Old), drainSignal[s.Old], at.Private(s.Old))
	return err
}

// retire proposes to take out the load balancer that the file does not want.
func retire(have *model.Host, at on, _ model.Cluster) (out []plan.Step) {
	if !at.Want.Roles.Node() && !at.Want.Roles.Has(model.LoadBalancerHost) {
		return nil
	}
	for _, v := range model.Doors {
		u := have.Components[v]
		if at.Want.Components[v].Disk.Or("") == "" && (u.Disk.Not("") || u.Running.Not("")) {
			out = append(out, Retire{at, v})
		}
	}
	return out
}
