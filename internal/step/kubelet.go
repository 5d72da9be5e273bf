package step

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
)

var kubelet = traits{
	group: nodeAgents,
	ready: Run.kubeletReady,
	fits: func(have, want *model.Host) bool {
		return have.Node.Registered.Is(true) || standsAlone(have, want)
	},
	wrong: func(have *model.Host) string {
		if !have.Node.Registered.Known() {
			return "not known to be registered"
		}
		return "running, but not registered"
	},
	runs: func(h, want *model.Host) {
		if !throughOthers(h.Via, want.Via) {
			h.Via = want.Via
		}
		if !standsAlone(h, want) {
			h.Node.Registered = model.Is(true)
		}
	},
	stopped: func(h *model.Host) { h.Via = model.Is(model.Way{}) },
	once:    Run.firstCertificate,
}

// throughOthers says that a kubelet uses the balancer of somebody else that it is to
// use: where that leads (by a name, an address, straight to a server) is theirs.
func throughOthers(is, want model.Known[model.Way]) bool {
	kind := is.Or(model.Way{}).Kind
	return want.Or(model.Way{}).Kind == model.SharedBalancer && (kind == model.SharedBalancer || kind == model.FixedServer)
}

// standsAlone says that the kubelet runs the API server that it is to register
// with, as a static pod, and that one does not serve yet.
func standsAlone(h, want *model.Host) bool {
	return want.Components[model.APIServer].Pod && !h.Ready.Is(true)
}

// kubeletReady: a kubelet that runs its own API server starts before any answers.
func (s Run) kubeletReady(c model.Cluster, h model.Host) error {
	if hasPods(s.Want) {
		return s.runtimeReady(h)
	}
	return s.nodeReady(c, h)
}

// nodeReady is what the agents of a node need.
func (s Run) nodeReady(c model.Cluster, h model.Host) error {
	if err := s.runtimeReady(h); err != nil {
		return err
	}
	serving := c.Serving()
	if len(serving) == 0 {
		return errors.New("no API server answers yet")
	}
	if !c.Addons["rbac"].Known() || c.Addons["rbac"].Is(model.Installed{}) {
		return errors.New("the API does not know yet what a joining node may do")
	}
	way := s.Want.Via.Or(model.Way{})
	switch {
	case way.Kind == model.OwnServer:
		if !slices.Contains(serving, s.ID) {
			return errors.New("its own API server does not answer yet")
		}
	case way.Kind == model.SharedAddress:
		if !c.Leads(s.ID, way) {
			return errors.New("no load balancer leads to an API server that answers yet")
		}
	case way.Kind != model.LocalBalancer:
		if !way.Backends.Any(serving) {
			return fmt.Errorf("no API server that it should reach answers (%s)", way)
		}
		if s.leavesOurs(&h) {
			return errors.New("the endpoint's name still leads to a load balancer of quorate's there")
		}
		return s.outsideReady(&h)
	case !h.HasDoor():
		return errors.New("its front door is not running yet")
	case !h.Backends.Or(model.HostSet{}).Any(serving):
		return errors.New("its front door leads to no API server that answers")
	}
	if way.Kind == model.LocalBalancer {
		return namesServed(c, h.Backends.Or(model.HostSet{}), serving)
	}
	return nil
}

// firstCertificate is for a kubelet without a client certificate. It renews it
// by itself. A bootstrap token instead would be good for any node's name, and a
// kubelet that starts before its API server could not use it.
func (s Run) firstCertificate(ctx context.Context, e Env, h *goal.Host) ([]host.File, error) {
	if e.Joined {
		return nil, nil
	}
	if e.Shared == nil {
		return nil, ErrNotYet
	}
	const lifetime = 365 * 24 * time.Hour
	cert, key, err := pki.UserClient(*e.Shared, "system:node:"+h.Node.Name, []string{"system:nodes"}, lifetime, time.Now())
	if err != nil {
		return nil, err
	}
	first, current := component.KubeletClientFiles(e.Goal.Layout.Kubelet, cert, key)
	_, err = sh(ctx, e, "", `mkdir -p -m 755 "${2%/*}"; ln -sfn "${1##*/}" "$2"`, first.Path, current)
	return []host.File{first}, err
}
