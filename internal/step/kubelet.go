package step

import (
	"context"
	"errors"
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
	runs: func(h, _ *model.Host) { h.Node.Registered = model.Is(true) },
	once: Run.bootstrapKubeconfig,
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
	if s.Want.Roles.Has(model.ControlPlane) {
		if !slices.Contains(serving, s.ID) {
			return errors.New("its own API server does not answer yet")
		}
	} else if !h.Runs(model.FrontDoor) {
		return errors.New("its front door does not run yet")
	} else if !h.Backends.Or(model.HostSet{}).Any(serving) {
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
