package component

import (
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeadm"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/workload"
)

// What the user adds to kubeadm's static pods beside flags is told by a mark in
// the environment of the pod: a digest of it. Volumes and environment are in
// kubeadm's configuration, and the mark with them, so that a join by hand has
// all of it. Patches lie on the host, with one more that sets the mark of all: a
// manifest that was written without them says so. A component to which nothing is
// added has no mark.

// kubeadmEnvs are the variables of a component in kubeadm's configuration.
func (c Context) kubeadmEnvs(v model.Component) []kubeadm.Env {
	var out []kubeadm.Env
	for _, e := range c.Spec.Components[v.String()].ExtraEnvs {
		out = append(out, kubeadm.Env{Name: e.Name, Value: e.Value})
	}
	if mark := c.mark(v, nil); mark != "" {
		out = append(out, kubeadm.Env{Name: workload.StampEnv, Value: mark})
	}
	return out
}

// kubeadmVolumes are the user's volumes of a component.
func (c Context) kubeadmVolumes(v model.Component) []kubeadm.HostPathMount {
	var out []kubeadm.HostPathMount
	if v == model.Scheduler && c.schedulerConfigured() {
		file := c.Layout.Scheduler.Config
		out = append(out, kubeadm.HostPathMount{Name: "scheduler-config", HostPath: file, MountPath: file, ReadOnly: true,
			PathType: corev1.HostPathFile})
	}
	for _, m := range c.Spec.Components[v.String()].ExtraVolumes {
		out = append(out, kubeadm.HostPathMount{Name: m.Name, HostPath: m.HostPath, MountPath: m.MountPath, ReadOnly: m.ReadOnly,
			PathType: corev1.HostPathType(m.PathType)})
	}
	return out
}

// mark is the digest of what is added to a component; "" for nothing.
func (c Context) mark(v model.Component, patches []spec.Patch) string {
	of, parts := c.Spec.Components[v.String()], map[string]string{}
	for _, e := range of.ExtraEnvs {
		parts["env "+e.Name] = e.Value
	}
	for _, m := range of.ExtraVolumes {
		parts["volume "+m.Name] = workload.VolumeLine(m.HostPath, m.MountPath, m.ReadOnly, m.PathType)
	}
	for _, p := range patches {
		parts["patch "+p.Name] = string(p.Content)
	}
	if len(parts) == 0 {
		return ""
	}
	return workload.DiskDigest(parts)
}

// PatchesOf are the user's patches of one component's static pod.
func (c Context) PatchesOf(v model.Component) (out []spec.Patch) {
	for _, p := range c.Patches {
		if p.Target == v.String() {
			out = append(out, p)
		}
	}
	return out
}

// patchFiles are the patches as they lie on a host for kubeadm, the one that sets
// the mark last. The process reads none of them.
func (c Context) patchFiles(v model.Component) ([]workload.File, error) {
	patches := c.PatchesOf(v)
	if len(patches) == 0 {
		return nil, nil
	}
	name := v.String()
	marks, err := yaml.Marshal(map[string]any{"spec": map[string]any{"containers": []any{map[string]any{
		"name": name, "env": []any{map[string]any{"name": workload.StampEnv, "value": c.mark(v, patches)}}}}}})
	if err != nil {
		return nil, err
	}
	patches = append(patches, spec.Patch{Name: name + "~quorate+strategic.yaml",
		Content: append([]byte("# Tells that the pod was made with the patches beside this one.\n"), marks...)})
	var out []workload.File
	for _, p := range patches {
		out = append(out, workload.File{Cold: true, File: host.File{Path: path.Join(c.Layout.Kubelet.Patches, p.Name), Content: p.Content,
			Mode: 0o600}})
	}
	return out, nil
}

// CarriedByHand are files and folders of a control plane that kubeadm gives to none
// that joins by hand, and that its static pods need.
func (c Context) CarriedByHand() []string {
	out := []string{c.Layout.PKI.Encryption, c.Layout.APIServer.AuditPolicy}
	if c.schedulerConfigured() {
		out = append(out, c.Layout.Scheduler.Config)
	}
	for _, v := range MadeByKubeadm {
		for _, m := range c.Spec.Components[v.String()].ExtraVolumes {
			if !strings.HasSuffix(m.PathType, "OrCreate") && !slices.Contains(out, m.HostPath) {
				out = append(out, m.HostPath)
			}
		}
	}
	if len(c.Patches) > 0 {
		out = append(out, c.Layout.Kubelet.Patches)
	}
	return out
}

// customised adds to what is wanted of a manifest what the user adds to it.
func (c Context) customised(v model.Component, m workload.Made) workload.Made {
	of := c.Spec.Components[v.String()]
	m.Mark, m.Volumes, m.Env = c.mark(v, c.PatchesOf(v)), map[string]string{}, map[string]string{}
	for _, e := range of.ExtraEnvs {
		m.Env[e.Name] = e.Value
	}
	for _, w := range of.ExtraVolumes {
		m.Volumes[w.Name] = workload.VolumeLine(w.HostPath, w.MountPath, w.ReadOnly, w.PathType)
		if !strings.HasSuffix(w.PathType, "OrCreate") {
			m.Sources = append(m.Sources, w.HostPath)
		}
	}
	if len(c.PatchesOf(v)) > 0 { // a patch may change them
		m.Env, m.Volumes = map[string]string{}, map[string]string{}
	}
	return m
}
