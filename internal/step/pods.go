package step

import (
	"errors"
	"slices"

	"quorate.dev/quorate/internal/model"
)

// hasPods says that the kubelet of a host shall run parts of the control plane,
// as static pods. There the runtime, its images and the kubelet come first.
func hasPods(want *model.Host) bool {
	return slices.ContainsFunc(want.Components[:], func(s model.ComponentState) bool { return s.Pod })
}

// podReady is what a static pod needs on its host, whatever it runs.
func (o on) podReady(h model.Host) error {
	if err := o.runtimeReady(h); err != nil {
		return err
	}
	if !h.Runs(model.Kubelet) {
		return errors.New("the kubelet, which runs it, does not run there yet")
	}
	return nil
}

// runtimeReady is what a kubelet needs to start pods.
func (o on) runtimeReady(h model.Host) error {
	if !h.Runs(model.Containerd) {
		return errors.New("containerd is not running there yet")
	}
	if !model.Same(h.Images, o.Want.Images) {
		return errors.New("its images are not imported yet")
	}
	return nil
}

// ended writes that a component was stopped for good. Of what does not run
// already the reason stays that was told. The manifest of a static pod goes with
// it: the kubelet runs what lies there.
func ended(h *model.Host, v model.Component) {
	u := &h.Components[v]
	if !u.Running.Is("") {
		u.Running = model.Is("")
	}
	if u.Pod {
		u.Disk, u.Version, u.Pod = model.Is(""), "", false
	}
}

// mayRun says that a component runs on a host, may run, or is a static pod whose
// manifest is there: the kubelet starts that again and again.
func mayRun(h *model.Host, v model.Component) bool {
	return !h.Components[v].Running.Is("") || h.Components[v].Pod
}
