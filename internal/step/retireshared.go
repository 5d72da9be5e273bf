package step

import (
	"context"
	"errors"
	"fmt"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// RetireShared takes a host's HAProxy and Keepalived out of service, once no node
// goes to the API by the virtual address. Both go on while connections through them
// are open, for an hour at most.
type RetireShared struct{ on }

var sharedParts = []model.Component{model.HAProxy, model.Keepalived}

// About implements plan.Step.
func (s RetireShared) About() plan.About {
	return plan.About{Kind: "retire-haproxy", Host: s.ID, Title: "retire HAProxy and Keepalived",
		Why: "the load balancer is of another kind now; open connections may end by themselves for an hour"}
}

// Need implements plan.Step.
func (s RetireShared) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	if h := c.Hosts[s.ID]; wantsDoor(s.Want) && !fits(&h, s.Want, model.Balancer) {
		return errors.New("quorate-lb does not have its place yet")
	}
	return virtualUnused(c)
}

// lastShared is the need of what takes a HAProxy away where the file has none any more.
func lastShared(c model.Cluster, h *model.Host) error {
	if !h.Runs(model.HAProxy) || shares(c) {
		return nil
	}
	return virtualUnused(c)
}

// virtualUnused: no node may go to the API by the virtual address any more.
func virtualUnused(c model.Cluster) error {
	for _, id := range c.IDs() {
		switch h := c.Hosts[id]; {
		case h.Roles.Node() && !h.Up():
			return notYet(c, id, fmt.Sprintf("%s may still go to the API by the virtual address", id))
		case h.Roles.Node() && h.Via.Is(model.Way{Kind: model.SharedAddress}):
			return fmt.Errorf("%s still goes to the API by the virtual address", id)
		case h.Roles.Node() && h.Named.Is(model.SharedAddress):
			return fmt.Errorf("the endpoint's name still leads to the virtual address on %s", id)
		}
	}
	return nil
}

// Effect implements plan.Step.
func (s RetireShared) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		for _, v := range sharedParts {
			h.Components[v] = model.ComponentState{Disk: model.Is(""), Running: model.Is("")}
		}
		if h.Backends = s.Want.Backends; !wantsDoor(s.Want) {
			h.VIPHeld = model.Is(false)
		}
	})
}

// Interim implements plan.Step.
func (s RetireShared) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		for _, v := range sharedParts {
			h.Components[v] = model.ComponentState{Disk: model.Unknown[string]("being removed"), Running: model.Is("")}
		}
		if !h.HasDoor() {
			h.Backends = model.Is(model.HostSet{})
		}
	})
}

// Do implements Action. Without their unit files systemd starts neither again. Who
// waits for the last connection is a unit of its own, so that it goes on when
// quorate has ended; it gives up once they are wanted again. Where quorate-lb has the
// address and the port by now, HAProxy waits for its last connection by itself.
func (s RetireShared) Do(ctx context.Context, e Env) error {
	at, succeeded := e.Goal.Layout, ""
	if wantsDoor(s.Want) {
		succeeded = "yes"
	}
	_, err := sh(ctx, e, "retire", `systemctl disable -q --no-reload "$1" "$2" 2>/dev/null || true
rm -f "$3" "$4"
systemctl daemon-reload
systemctl is-active -q "$1" || systemctl is-active -q "$2" || exit 0
[ -z "$6" ] || { systemctl stop "$2"; systemctl kill --kill-who=main -s USR1 "$1"; exit 0; }
systemd-run -q --collect --unit=quorate-drain-haproxy sh -c 'n=3600
while [ $n -gt 0 ] && [ ! -e "$4" ] && ss -Htn state established "( sport = :$1 )" | grep -q .; do sleep 1; n=$((n - 1)); done
[ -e "$4" ] || systemctl stop "$2" "$3"' sh "$5" "$1" "$2" "$3" 2>/dev/null || systemctl is-active -q quorate-drain-haproxy.service`,
		at.Service(model.HAProxy), at.Service(model.Keepalived), at.UnitPath(model.HAProxy), at.UnitPath(model.Keepalived),
		fmt.Sprint(e.Goal.File.EndpointPort()), succeeded)
	return err
}

// retireShared proposes to take out a HAProxy that the file does not want there.
func retireShared(have *model.Host, at on, _ model.Cluster) (out []plan.Step) {
	for _, v := range sharedParts {
		if u := have.Components[v]; at.Want.Components[v].Disk.Or("") == "" && (u.Disk.Not("") || u.Running.Not("")) {
			return []plan.Step{RetireShared{at}}
		}
	}
	return nil
}
