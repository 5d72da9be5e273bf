package step

import (
	"context"
	"errors"
	"slices"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/workload"
)

var controlPlane = []model.Component{model.ControllerManager, model.Scheduler, model.APIServer}

func runsControlPlane(h *model.Host) bool {
	return slices.ContainsFunc(controlPlane, func(v model.Component) bool { return mayRun(h, v) })
}

// StopControlPlane stops what writes to etcd on a host; pods go on running.
type StopControlPlane struct{ recovered }

// About implements plan.Step.
func (s StopControlPlane) About() plan.About {
	return plan.About{Kind: "stop-control-plane", Host: s.ID, Title: "stop the API server, controller-manager and scheduler",
		Why: "they know the old etcd; pods go on running"}
}

// Need implements plan.Step: a snapshot that cannot be restored is found out
// while all still serves.
func (s StopControlPlane) Need(c model.Cluster) error {
	if err := s.chosen(c); err != nil {
		return err
	}
	if r := c.Hosts[s.At].Etcd.Recovery; !s.Recovery.Own && !r.Staged && !r.IsBinding() {
		return errors.New("the snapshot's data is not ready yet")
	}
	return nil
}

// Effect implements plan.Step.
func (s StopControlPlane) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		for _, v := range controlPlane {
			ended(h, v)
		}
		h.Ready, h.ServesName, h.EtcdVia = model.Is(false), model.Is(false), model.Is(model.Way{})
	})
}

// Interim implements plan.Step.
func (s StopControlPlane) Interim(c *model.Cluster) { s.Effect(c) }

// Do implements Action.
func (s StopControlPlane) Do(ctx context.Context, e Env) error {
	return stopServices(ctx, e, controlPlane)
}

// stopServices stops those of some components that are installed on the step's
// host or may run there, whatever runs them. One that was not running when the
// host was seen may be crash-looping, as a scheduler does without an API server,
// and would be back in a moment.
func stopServices(ctx context.Context, e Env, services []model.Component) error {
	var names []string
	for _, v := range services {
		if h := e.Have.Hosts[model.HostID(e.Host.Name())]; mayRun(&h, v) || !h.Components[v].Disk.Is("") {
			names = append(names, e.Goal.Layout.Unit(v))
		}
	}
	_, err := sh(ctx, e, "", workload.Script(e.Goal.Layout, `k=$AT_KEPT/$(date -u +%Y%m%dT%H%M%SZ)
stop_services "$@"
for n; do systemctl reset-failed -q "$n.service" 2>/dev/null || true; done`), names...)
	return said(e.Host, "stop", err)
}

// StopEtcd stops a member of the cluster that ends with a recovery.
type StopEtcd struct {
	recovered
	Save bool // a snapshot first
}

// About implements plan.Step.
func (s StopEtcd) About() plan.About {
	title := "stop etcd"
	if s.Save {
		title = "save a snapshot of what etcd holds now, then stop etcd"
	}
	return plan.About{Kind: "stop-etcd", Host: s.ID, Title: title, Limit: plan.CopyLimit}
}

// Need implements plan.Step.
func (s StopEtcd) Need(c model.Cluster) error {
	if err := s.chosen(c); err != nil {
		return err
	}
	return s.still(c, "", controlPlane...)
}

// Effect implements plan.Step.
func (s StopEtcd) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		ended(h, model.Etcd)
		h.Etcd.Healthy = model.Is(false)
	})
}

// Interim implements plan.Step.
func (s StopEtcd) Interim(c *model.Cluster) { s.Effect(c) }

// Do implements Action. Data that stays on the disk needs no snapshot: that one
// cannot be had stops nothing.
func (s StopEtcd) Do(ctx context.Context, e Env) error {
	if s.Save {
		if snap, err := etcd.SaveSnapshot(ctx, e.Host, e.Goal.Layout); err == nil {
			e.Keep("data of etcd", snap.Path)
		} else {
			e.Say("%s: no snapshot was saved: %v", s.ID, err)
		}
	}
	return stopServices(ctx, e, []model.Component{model.Etcd})
}
