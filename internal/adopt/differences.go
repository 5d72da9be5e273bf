package adopt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/kubeadm"
	"quorate.dev/quorate/internal/model"
)

// volumes are those of kubeadm's manifests (cmd/kubeadm/app/phases/controlplane:
// volumes.go; phases/etcd: local.go).
var volumes = []string{"ca-certs", "etc-ca-certificates", "etc-pki", "etc-pki-ca-trust", "etc-pki-tls-certs",
	"usr-local-share-ca-certificates",
	"usr-share-ca-certificates", "k8s-certs", "kubeconfig", "flexvolume-dir", "etcd-certs", "etcd-data"}

// kubeletFlags are those with which a kubelet of kubeadm's runs (its drop-in, and
// cmd/kubeadm/app/phases/kubelet: flags.go).
var kubeletFlags = []string{"bootstrap-kubeconfig", "kubeconfig", "config", "container-runtime-endpoint", "pod-infra-container-image"}

// differences are what of a machine is not as kubeadm makes it by itself.
func (m *maker) differences(x Machine) (out []Difference) {
	note := func(where, format string, args ...any) {
		out = append(out, Difference{x.Name, where, fmt.Sprintf(format, args...)})
	}
	for _, v := range component.MadeByKubeadm {
		text, there := x.Seen.Manifest(v.String())
		if !there {
			continue
		}
		configured := m.configured(v)
		var p corev1.Pod
		if err := yaml.Unmarshal([]byte(text), &p); err != nil || len(p.Spec.Containers) == 0 {
			note(v.String(), "its manifest cannot be read: %v", err)
			continue
		}
		c := p.Spec.Containers[0]
		flags := flagsOf(slices.Concat(c.Command, c.Args))
		for _, name := range slices.Sorted(maps.Keys(flags)) {
			value := strings.Join(flags[name], " and ")
			switch wanted, is := argument(configured.ExtraArgs, name); {
			case is && wanted == value:
				note(v.String(), "--%s=%s (in kubeadm's configuration)", name, value)
			case is:
				note(v.String(), "--%s=%s; kubeadm's configuration has %s, and kubeadm upgrade would set that", name, value, wanted)
			case !component.SetByKubeadm(v, name):
				note(v.String(), "--%s=%s (in the manifest only: kubeadm upgrade would drop it)", name, value)
			}
		}
		for _, arg := range configured.ExtraArgs {
			if _, is := flags[arg.Name]; !is {
				note(v.String(), "--%s is in kubeadm's configuration and not in the manifest", arg.Name)
			}
		}
		for _, volume := range p.Spec.Volumes {
			if volume.HostPath != nil && !slices.Contains(volumes, volume.Name) {
				note(v.String(), "mounts %s (volume %s)", volume.HostPath.Path, volume.Name)
			}
		}
		if len(p.Spec.Containers) > 1 {
			note(v.String(), "has %d containers", len(p.Spec.Containers))
		}
	}
	if p, runs := x.Seen.Process("kubelet"); runs {
		flags := p.Flags()
		for _, name := range slices.Sorted(maps.Keys(flags)) {
			if !slices.Contains(kubeletFlags, name) {
				note("kubelet", "--%s=%s", name, strings.Join(flags[name], " and "))
			}
		}
	}
	return out
}

// configured is what kubeadm's configuration says of a component beside its own.
func (m *maker) configured(v model.Component) kubeadm.FoundComponent {
	switch v {
	case model.APIServer:
		return m.cc.APIServer.FoundComponent
	case model.ControllerManager:
		return m.cc.ControllerManager
	case model.Scheduler:
		return m.cc.Scheduler
	case model.Etcd:
		if m.cc.Etcd.Local != nil {
			return m.cc.Etcd.Local.FoundComponent
		}
	}
	return kubeadm.FoundComponent{}
}

func argument(args kubeadm.FoundArgs, name string) (string, bool) {
	var values []string
	for _, a := range args {
		if a.Name == name {
			values = append(values, a.Value)
		}
	}
	return strings.Join(values, " and "), len(values) > 0
}
