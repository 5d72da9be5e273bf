package artifact

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/host"
)

// File is one artefact in the store.
type File struct {
	Name string // kubelet, images-systemd.tar, …
	host.Blob
}

// Event tells how far a fetch is.
type Event struct {
	Component string        // kubernetes, etcd, …
	What      string        // wait | download | checksum | build | image | damaged | cached | done
	Text      string        // what just happened: a module, a package, a file
	N, M      int           // N of M units of What; M is 0 when the end is not known
	Elapsed   time.Duration // since this component was begun
}

// Source brings artefacts into the store. Both methods return at once what is
// there already, do the missing rest, and may be killed at any moment or run
// beside another process without harm.
type Source interface {
	// Fetch returns the named programs for linux/arch, in the order of names.
	Fetch(ctx context.Context, v Versions, arch string, names []string, progress func(Event)) ([]File, error)
	// Images returns one OCI-layout tar, images-<set>.tar, with the named
	// images (see ImageNames) for linux/arch.
	Images(ctx context.Context, v Versions, arch, set string, images []string, progress func(Event)) (File, error)
}

// components lists which programs each component consists of.
var components = []struct {
	name     string
	programs []string
}{
	{"kubernetes", []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl", "kubeadm"}},
	{"etcd", []string{"etcd", "etcdctl", "etcdutl"}},
	{"containerd", []string{"containerd", "containerd-shim-runc-v2", "ctr"}},
	{"runc", []string{"runc"}},
	{"cni", []string{"bridge", "loopback", "host-local", "portmap", "firewall", "ptp"}},
	{"crictl", []string{"crictl"}},
	{"coredns", []string{"coredns"}},
	{"metrics-server", []string{"metrics-server"}},
	{"pause", []string{"pause"}},
	{"etcd-gate", []string{"etcd-gate"}},
	{"testimage", []string{"quorate-test"}},
}

// SystemdNames lists the programs that hosts of the systemd flavour run.
func SystemdNames() []string {
	return []string{
		"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
		"etcd", "etcdctl", "etcdutl",
		"containerd", "containerd-shim-runc-v2", "ctr", "runc",
		"bridge", "loopback", "host-local", "portmap", "firewall", "ptp",
		"crictl",
	}
}

// KubeadmNames lists the programs that hosts of the kubeadm flavour have: those
// of the control plane and kube-proxy are in images there. With etcd's own a
// recovery reads the log of a member that does not run.
func KubeadmNames() []string {
	return []string{
		"kubeadm", "kubelet", "kubectl", "etcd", "etcdctl", "etcdutl",
		"containerd", "containerd-shim-runc-v2", "ctr", "runc",
		"bridge", "loopback", "host-local", "portmap", "firewall", "ptp",
		"crictl",
	}
}

// byComponent groups names by the component they belong to, in the order the
// components are first named.
func byComponent(names []string) (order []string, groups map[string][]string, err error) {
	groups = map[string][]string{}
	for _, n := range names {
		c := componentOf(n)
		if c == "" {
			return nil, nil, fmt.Errorf("artefact %q is unknown; known are %s", n, strings.Join(allNames(), ", "))
		}
		if groups[c] == nil {
			order = append(order, c)
		}
		if !slices.Contains(groups[c], n) {
			groups[c] = append(groups[c], n)
		}
	}
	return order, groups, nil
}

// Parts is in how many parts programs and sets of images are brought into the
// store: an Event's Component names one.
func Parts(programs []string, sets ...string) int {
	parts := map[string]bool{}
	for _, p := range programs {
		parts[componentOf(p)] = true
	}
	for _, s := range sets {
		parts["images-"+s] = true
	}
	return len(parts)
}

// componentOf names the component a program belongs to, "" when unknown.
func componentOf(program string) string {
	for _, c := range components {
		if slices.Contains(c.programs, program) {
			return c.name
		}
	}
	return ""
}

// allNames lists every program there is.
func allNames() []string {
	var out []string
	for _, c := range components {
		out = append(out, c.programs...)
	}
	return out
}

// inOrder returns files in the order of names.
func inOrder(names []string, files map[string]File) []File {
	out := make([]File, 0, len(names))
	for _, n := range names {
		out = append(out, files[n])
	}
	return out
}

// telling makes an event of what happens to one component.
type telling func(what, text string, n, m int)

// teller stamps events of one component with the time since its begin.
func teller(component string, progress func(Event)) telling {
	start := time.Now()
	return func(what, text string, n, m int) {
		if progress != nil {
			progress(Event{Component: component, What: what, Text: text, N: n, M: m, Elapsed: time.Since(start)})
		}
	}
}

// NewSource makes the source that spec.artifacts names: auto (also ""), modules,
// or upstream, which downloads as trust says. beside is the folder in which auto
// looks for a bundle; "": none.
func NewSource(kind string, store *Store, trust Trust, beside string) (Source, error) {
	switch kind {
	case "modules":
		return NewModules(store), nil
	case "", "auto", "upstream":
		u, err := NewUpstream(store, trust)
		if err != nil || kind == "upstream" {
			return u, err
		}
		return &Auto{store: store, beside: beside, upstream: u, modules: NewModules(store), pinned: len(trust.Checksums) > 0}, nil
	}
	return nil, fmt.Errorf("artifacts.source %q: want auto, modules or upstream", kind)
}
