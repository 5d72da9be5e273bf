package step

import (
	"context"
	"fmt"
	"slices"

	"quorate.dev/quorate/internal/model"
)

var frontDoor = traits{
	group:       foundation,
	uncertified: true,
	reloads:     true,
	ready:       func(s Run, c model.Cluster, h model.Host) error { return s.doorReady(c, h, false) },
	fits: func(have, want *model.Host) bool {
		return model.Same(have.Backends, want.Backends) && (leadsToEtcd(have, want) || model.Same(have.EtcdBackends, want.EtcdBackends))
	},
	runs: func(h, want *model.Host) {
		h.Backends = want.Backends
		if !leadsToEtcd(h, want) {
			h.EtcdBackends = want.EtcdBackends
		}
	},
}

// giveSockets makes the sockets of a unit's first process and its children those of a
// user.
const giveSockets = `p=$(systemctl show -p MainPID --value "$1")
[ "${p:-0}" != 0 ] && [ "$(stat -c %U "/proc/$p")" != "$2" ] || exit 0
for p in "$p" $(cat "/proc/$p/task/$p/children" 2>/dev/null); do
	for f in "/proc/$p/fd/"*; do
		case $(readlink "$f") in socket:*) chown "$2" "$f" 2>/dev/null || true ;; esac
	done
done`

// shareAddresses lets a load balancer share its addresses with one of another kind
// that root started, as a HAProxy: Linux asks whose the sockets are, which
// is who opened them or got them by chown.
func (s Run) shareAddresses(ctx context.Context, e Env, have model.Host) error {
	at := e.Goal.Layout
	for _, v := range s.Set {
		if !slices.Contains(model.Doors, v) {
			continue
		}
		for _, old := range model.Balancers {
			if old == v || !have.Runs(old) {
				continue
			}
			if _, err := sh(ctx, e, "", giveSockets, at.Service(old), at.User(v)); err != nil {
				return err
			}
		}
	}
	return nil
}

// wantsDoor says that a host shall have a load balancer of its own.
func wantsDoor(want *model.Host) bool {
	return slices.ContainsFunc(model.Doors, func(v model.Component) bool { return want.Components[v].Disk.Or("") != "" })
}

// leadsToEtcd: until quorate-lb is retired, and as long as an API server asks
// it that is to ask etcd directly, the way to etcd stays as it is.
func leadsToEtcd(have, want *model.Host) bool {
	through := model.Way{Kind: model.LocalBalancer}
	return have.Runs(model.Balancer) || have.EtcdVia.Is(through) && !want.EtcdVia.Is(through)
}

// doorReady: who already has a working front door gets a new backend only once
// that answers, unless the front door checks that by itself.
func (s Run) doorReady(c model.Cluster, h model.Host, checks bool) error {
	serving := c.Serving()
	if !h.HasDoor() {
		return s.opens(c, h, serving, checks)
	}
	has, wants := h.Backends.Or(model.HostSet{}), s.Want.Backends.Or(model.HostSet{})
	// What is taken from behind the door still runs. Whether it answers just now
	// decides nothing: it may be slow for a moment.
	loses := slices.ContainsFunc(has.Without(wants).List(), func(id model.HostID) bool {
		b := c.Hosts[id]
		return b.Up() && b.Runs(model.APIServer)
	})
	switch {
	case len(serving) == 0 && !loses:
		return nil
	case len(serving) > 0 && !wants.Any(serving):
		return fmt.Errorf("none of the API servers that it should lead to answers (%s)", wants)
	}
	if checks && !h.Runs(model.Balancer) && s.Want.EtcdVia.Is(model.Way{Kind: model.LocalBalancer}) {
		loses = false // the API server here restarts only once its way to etcd is there
	}
	for _, id := range wants.List() {
		b := c.Hosts[id]
		if loses && b.Up() && b.Runs(model.APIServer) && !b.EtcdVia.Known() {
			return notYet(c, id, fmt.Sprintf("which etcd the API server of %s uses was not seen", id))
		}
		if !checks && !has.Has(id) && !(b.Up() && b.Ready.Is(true)) {
			return notYet(c, id, fmt.Sprintf("the API server of %s does not answer yet", id))
		}
		for _, e := range b.EtcdServers().List() {
			if loses && b.EtcdVia.Or(model.Way{}).Kind == model.EachDirectly && !c.Hosts[e].Roles.Has(model.EtcdHost) {
				return fmt.Errorf("the API server of %s still uses the etcd of %s, which leaves; it restarts while others stand behind the "+
					"front doors", id, e)
			}
		}
	}
	return s.membersReady(c, h)
}

// membersReady: a balancer that leads an API server to etcd keeps a voter that
// serves. A member that is no voter yet may stand behind it: it is not used.
func (s Run) membersReady(c model.Cluster, h model.Host) error {
	if h.EtcdVia.Or(model.Way{}).Kind != model.LocalBalancer || s.Want.EtcdVia.Or(model.Way{}).Kind != model.LocalBalancer || !c.Quorum("") {
		return nil
	}
	members := s.Want.EtcdBackends.Or(model.HostSet{})
	if !slices.ContainsFunc(members.List(), func(id model.HostID) bool { return votes(c.Hosts[id]) }) {
		return fmt.Errorf("none of the etcd members that it should lead to is a voter that serves (%s)", members)
	}
	return nil
}
