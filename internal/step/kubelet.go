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
)

var kubelet = traits{
	group: nodeAgents,
	ready: Run.nodeReady,
	fits:  func(have, _ *model.Host) bool { return have.Node.Registered.Is(true) },
	wrong: func(have *model.Host) string {
		if !have.Node.Registered.Known() {
			return "not known to be registered"
		}
		return "runs, but is not registered"
	},
	runs:    func(h, want *model.Host) { h.Node.Registered, h.Via = model.Is(true), want.Via },
	stopped: func(h *model.Host) { h.Via = model.Is(model.Way{}) },
	once:    Run.bootstrapKubeconfig,
}

// nodeReady is what the agents of a node need.
func (s Run) nodeReady(c model.Cluster, h model.Host) error {
	if !h.Runs(model.Containerd) {
		return errors.New("containerd does not run there yet")
	}
	if !model.Same(h.Images, s.Want.Images) {
		return errors.New("its images are not imported yet")
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
	case way.Kind != model.LocalBalancer:
		if !way.Backends.Any(serving) {
			return fmt.Errorf("no API server that it shall reach answers (%s)", way)
		}
	case !h.Runs(model.FrontDoor):
		return errors.New("its front door does not run yet")
	case !h.Backends.Or(model.HostSet{}).Any(serving):
		return errors.New("its front door leads to no API server that answers")
	}
	return nil
}

// bootstrapKubeconfig lets a kubelet without a client certificate ask for one.
func (s Run) bootstrapKubeconfig(ctx context.Context, e Env, h *goal.Host) ([]host.File, error) {
	if e.Joined {
		return nil, nil
	}
	c, err := e.API(ctx)
	if err != nil {
		return nil, err
	}
	token, err := c.BootstrapToken(ctx, 15*time.Minute)
	if err != nil {
		return nil, err
	}
	f, err := component.BootstrapKubeconfig(h.Context, token)
	return []host.File{f}, err
}
