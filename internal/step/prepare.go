package step

import (
	"errors"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// Packages installs what the host needs from its own distribution.
type Packages struct{ on }

// About implements plan.Step.
func (s Packages) About() plan.About {
	return plan.About{Kind: "packages", Host: s.ID, Title: "install packages"}
}

// Need implements plan.Step.
func (s Packages) Need(c model.Cluster) error { return s.reach(c) }

// Effect implements plan.Step.
func (s Packages) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Packages = model.Is("") })
}

// Interim implements plan.Step.
func (s Packages) Interim(*model.Cluster) {}

// System makes the host's settings: kernel modules, sysctls, names, folders.
type System struct{ on }

// About implements plan.Step.
func (s System) About() plan.About {
	return plan.About{Kind: "system", Host: s.ID, Title: "make system settings", Why: "kernel modules, sysctls, names of the cluster"}
}

// Need implements plan.Step.
func (s System) Need(c model.Cluster) error { return s.reach(c) }

// Effect implements plan.Step.
func (s System) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.System = s.Want.System })
}

// Interim implements plan.Step.
func (s System) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.System = model.Unknown[string]("being changed") })
}

// Binaries puts the programs onto the host.
type Binaries struct{ on }

// About implements plan.Step.
func (s Binaries) About() plan.About {
	return plan.About{Kind: "binaries", Host: s.ID, Title: "install binaries"}
}

// Need implements plan.Step.
func (s Binaries) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	if !model.Same(c.Hosts[s.ID].System, s.Want.System) {
		return errors.New("its system settings are not made yet")
	}
	return nil
}

// Effect implements plan.Step.
func (s Binaries) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Binaries = s.Want.Binaries })
}

// Interim implements plan.Step.
func (s Binaries) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Binaries = model.Unknown[string]("being installed") })
}

// Images imports the container images that a node needs into its runtime.
type Images struct{ on }

// About implements plan.Step.
func (s Images) About() plan.About {
	return plan.About{Kind: "images", Host: s.ID, Title: "import images", Why: s.Want.Images.Or("")}
}

// Need implements plan.Step.
func (s Images) Need(c model.Cluster) error {
	if err := s.prepared(c); err != nil {
		return err
	}
	if !c.Hosts[s.ID].Runs(model.Containerd) {
		return errors.New("containerd does not run there yet")
	}
	return nil
}

// Effect implements plan.Step.
func (s Images) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Images = s.Want.Images })
}

// Interim implements plan.Step.
func (s Images) Interim(*model.Cluster) {}
