package artifact

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Versions is one set of components that belong together. Kubernetes carries
// its "v" as everywhere in its world; all others are plain: "3.6.8".
type Versions struct {
	Kubernetes    string
	Etcd          string
	Containerd    string
	Runc          string
	CNI           string
	CoreDNS       string
	Crictl        string
	Pause         string
	MetricsServer string
}

// DefaultKubernetes is the version taken when the user names none.
const DefaultKubernetes = "v1.36.3"

// sets holds the defaults per Kubernetes minor. Etcd, CoreDNS and pause are
// what kubeadm of that minor names in its constants.go; the others are the
// newest that were tried together with it.
var sets = map[string]Versions{
	"v1.35": {Etcd: "3.6.6", Containerd: "2.2.3", Runc: "1.3.4", CNI: "1.9.1", CoreDNS: "1.13.1", Crictl: "1.36.0", Pause: "3.10.1",
		MetricsServer: "0.9.0"},
	"v1.36": {Etcd: "3.6.8", Containerd: "2.2.3", Runc: "1.3.4", CNI: "1.9.1", CoreDNS: "1.14.2", Crictl: "1.36.0", Pause: "3.10.2",
		MetricsServer: "0.9.0"},
}

var (
	kubernetesForm = regexp.MustCompile(`^(v\d+\.\d+)\.\d+(-[0-9A-Za-z.-]+)?$`)
	versionForm    = regexp.MustCompile(`^\d+\.\d+(\.\d+)?(-[0-9A-Za-z.-]+)?$`)
)

// Resolve names the version of every component for one Kubernetes version.
// Overrides replace single ones by the keys of Versions.Get; a leading "v" is
// accepted there.
func Resolve(kubernetes string, overrides map[string]string) (Versions, error) {
	if !strings.HasPrefix(kubernetes, "v") {
		kubernetes = "v" + kubernetes
	}
	m := kubernetesForm.FindStringSubmatch(kubernetes)
	if m == nil {
		return Versions{}, fmt.Errorf("kubernetes version %q: want the form %s", kubernetes, DefaultKubernetes)
	}
	v, ok := sets[m[1]]
	if !ok {
		return Versions{}, fmt.Errorf("kubernetes version %s: no component versions are known for %s; known are %s", kubernetes, m[1],
			strings.Join(knownMinors(), ", "))
	}
	v.Kubernetes = kubernetes
	keys := make([]string, 0, len(overrides))
	for k := range overrides {
		keys = append(keys, k)
	}
	slices.Sort(keys) // so that of two mistakes the same one is told each time
	for _, k := range keys {
		field := v.field(k)
		if field == nil || k == "kubernetes" {
			return Versions{}, fmt.Errorf("artifacts.versions: unknown component %q; known are %s", k, strings.Join(overridable(), ", "))
		}
		val := strings.TrimPrefix(overrides[k], "v")
		if !versionForm.MatchString(val) {
			return Versions{}, fmt.Errorf("artifacts.versions.%s: %q is not a version; want the form %s", k, overrides[k], *field)
		}
		*field = val
	}
	return v, nil
}

// Get returns the version of a component by its name: kubernetes, etcd,
// containerd, runc, cni, coredns, crictl, pause, metrics-server; "" for any
// other name.
func (v Versions) Get(component string) string {
	if f := v.field(component); f != nil {
		return *f
	}
	return ""
}

// Of returns the version of a program by its name: kubelet, etcdctl, …; "" for
// one that is no artefact.
func (v Versions) Of(program string) string { return v.Get(componentOf(program)) }

// field finds a component's place in v.
func (v *Versions) field(component string) *string {
	switch component {
	case "kubernetes":
		return &v.Kubernetes
	case "etcd":
		return &v.Etcd
	case "containerd":
		return &v.Containerd
	case "runc":
		return &v.Runc
	case "cni":
		return &v.CNI
	case "coredns":
		return &v.CoreDNS
	case "crictl":
		return &v.Crictl
	case "pause":
		return &v.Pause
	case "metrics-server":
		return &v.MetricsServer
	}
	return nil
}

// overridable lists the keys a user may override.
func overridable() []string {
	return []string{"etcd", "containerd", "runc", "cni", "coredns", "crictl", "pause", "metrics-server"}
}

// knownMinors lists the Kubernetes minors there is a set for, oldest first.
func knownMinors() []string {
	var out []string
	for k := range sets {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
