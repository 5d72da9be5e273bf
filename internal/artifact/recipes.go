package artifact

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

//go:embed pause/main.go
var pauseSource string

//go:embed testimage/main.go
var testSource string

//go:embed etcdgate/main.go
var gateSource string

// recipeFormat is part of every build key: raise it when the way recipes are
// carried out changes what comes out.
const recipeFormat = 1

// recipe is how a component is built from Go modules. It is plain data, so
// that its digest stands for the whole way of building.
type recipe struct {
	component string
	modules   []string // all required at the component's version
	targets   []target
	tags      string
	stamps    []string // -X settings; see stamp for the words they may hold
	cgo       bool     // statically linked C, which needs gcc and libseccomp
	source    string   // main.go of our own programs, which have no module
}

// target is one program of a recipe.
type target struct {
	name string
	pkg  string
	tags string // besides those of the recipe
}

// recipes are the components that can be built. Tags and stamps are those of
// each project's own release build, as far as a module can give them.
var recipes = []recipe{
	{
		component: "kubernetes",
		modules:   []string{"k8s.io/kubernetes"},
		targets: under("k8s.io/kubernetes/cmd/", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy",
			"kubectl", "kubeadm"),
		tags:   "selinux notest grpcnotrace",
		stamps: append(kubeStamps("k8s.io/component-base/version"), kubeStamps("k8s.io/client-go/pkg/version")...),
	},
	{
		component: "etcd",
		modules:   []string{"go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/etcdctl/v3", "go.etcd.io/etcd/etcdutl/v3"},
		targets: []target{
			{name: "etcd", pkg: "go.etcd.io/etcd/server/v3"},
			{name: "etcdctl", pkg: "go.etcd.io/etcd/etcdctl/v3"},
			{name: "etcdutl", pkg: "go.etcd.io/etcd/etcdutl/v3"},
		},
		stamps: []string{"go.etcd.io/etcd/api/v3/version.GitSHA=SUM"},
	},
	{
		component: "containerd",
		modules:   []string{"github.com/containerd/containerd/v2"},
		targets: []target{
			{name: "containerd", pkg: "github.com/containerd/containerd/v2/cmd/containerd"},
			{name: "containerd-shim-runc-v2", pkg: "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2", tags: "no_grpc"},
			{name: "ctr", pkg: "github.com/containerd/containerd/v2/cmd/ctr"},
		},
		tags: "no_btrfs no_zfs no_devmapper no_aufs urfave_cli_no_docs osusergo netgo static_build",
		stamps: []string{"github.com/containerd/containerd/v2/version.Version=vVERSION",
			"github.com/containerd/containerd/v2/version.Revision=SUM"},
	},
	{
		component: "runc",
		modules:   []string{"github.com/opencontainers/runc"},
		targets:   []target{{name: "runc", pkg: "github.com/opencontainers/runc"}},
		tags:      "seccomp urfave_cli_no_docs netgo osusergo",
		stamps:    []string{"main.gitCommit=SUM"},
		cgo:       true,
	},
	{
		component: "cni",
		modules:   []string{"github.com/containernetworking/plugins"},
		targets: slices.Concat(
			under("github.com/containernetworking/plugins/plugins/main/", "bridge", "loopback", "ptp"),
			under("github.com/containernetworking/plugins/plugins/ipam/", "host-local"),
			under("github.com/containernetworking/plugins/plugins/meta/", "portmap", "firewall")),
		stamps: []string{"github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=vVERSION"},
	},
	{
		component: "crictl",
		modules:   []string{"sigs.k8s.io/cri-tools"},
		targets:   under("sigs.k8s.io/cri-tools/cmd/", "crictl"),
		stamps:    []string{"sigs.k8s.io/cri-tools/pkg/version.Version=vVERSION"},
	},
	{
		component: "coredns",
		modules:   []string{"github.com/coredns/coredns"},
		targets:   []target{{name: "coredns", pkg: "github.com/coredns/coredns"}},
		tags:      "grpcnotrace",
		stamps:    []string{"github.com/coredns/coredns/coremain.GitCommit=SUM"},
	},
	{
		component: "metrics-server",
		modules:   []string{"sigs.k8s.io/metrics-server"},
		targets:   under("sigs.k8s.io/metrics-server/cmd/", "metrics-server"),
		stamps: []string{
			"k8s.io/client-go/pkg/version.gitVersion=vVERSION",
			"k8s.io/client-go/pkg/version.gitCommit=SUM",
			"k8s.io/client-go/pkg/version.buildDate=TIME",
		},
	},
	{component: "pause", targets: []target{{name: "pause", pkg: "."}}, source: pauseSource},
	{component: "etcd-gate", targets: []target{{name: "etcd-gate", pkg: "."}}, source: gateSource},
	{component: "testimage", targets: []target{{name: "quorate-test", pkg: "."}}, source: testSource},
}

// kubeStamps are the settings of Kubernetes' hack/lib/version.sh for one of
// the two packages that tell a version.
func kubeStamps(pkg string) []string {
	return []string{
		pkg + ".gitVersion=vVERSION", pkg + ".gitMajor=MAJOR", pkg + ".gitMinor=MINOR",
		pkg + ".gitTreeState=clean", pkg + ".gitCommit=SUM", pkg + ".buildDate=TIME",
	}
}

// under makes targets whose package is prefix + name.
func under(prefix string, names ...string) []target {
	var out []target
	for _, n := range names {
		out = append(out, target{name: n, pkg: prefix + n})
	}
	return out
}

// recipeOf finds the recipe of a component.
func recipeOf(component string) (recipe, error) {
	for _, r := range recipes {
		if r.component == component {
			return r, nil
		}
	}
	return recipe{}, fmt.Errorf("no recipe to build %s", component)
}

// versionOf is a recipe's version without "v". What is ours alone is 1.
func (r recipe) versionOf(v Versions) string {
	if r.component == "testimage" || r.component == "etcd-gate" {
		return "1"
	}
	return strings.TrimPrefix(v.Get(r.component), "v")
}

// key is what decides the bytes that r gives.
func (r recipe) key(v Versions, arch, toolchain string) Key {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %+v", recipeFormat, r))
	return Key{Source: "modules", Component: r.component, Version: r.versionOf(v), Arch: arch, Toolchain: toolchain,
		Recipe: hex.EncodeToString(sum[:])}
}

// pick returns the targets of these names.
func (r recipe) pick(names []string) []target {
	var out []target
	for _, t := range r.targets {
		if slices.Contains(names, t.name) {
			out = append(out, t)
		}
	}
	return out
}

// stamp fills in the words VERSION, MAJOR, MINOR, SUM (the module's checksum,
// which names its source better than a commit could) and TIME (of the release).
func stamp(settings []string, version, sum, time string) []string {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	words := strings.NewReplacer("VERSION", version, "MAJOR", major, "MINOR", minor, "SUM", sum, "TIME", time)
	var out []string
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		out = append(out, "-X "+name+"="+words.Replace(value))
	}
	return out
}
