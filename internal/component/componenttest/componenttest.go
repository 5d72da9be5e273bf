// Package componenttest is what tests of components share: a cluster to render,
// golden files, and the real programs of the artefact store.
package componenttest

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Prod is a cluster of three control planes and a worker, seen from self.
func Prod(self string) component.Context {
	nodes := []topology.Node{
		{Name: "cp1", Address: "10.0.0.11", PodCIDR: "10.244.0.0/24", ControlPlane: true, Etcd: true},
		{Name: "cp2", Address: "10.0.0.12", PodCIDR: "10.244.1.0/24", ControlPlane: true, Etcd: true},
		{Name: "cp3", Address: "10.0.0.13", PodCIDR: "10.244.2.0/24", ControlPlane: true, Worker: true, Etcd: true},
		{Name: "w1", Address: "10.0.0.21", PodCIDR: "10.244.3.0/24", Worker: true},
	}
	c := component.Context{
		Cluster: "prod",
		Layout:  layout.Systemd(),
		Spec: spec.Spec{
			Kubernetes:           spec.Kubernetes{Version: "v1.36.3", Flavour: "systemd"},
			ControlPlaneEndpoint: "api.prod.internal:8443",
			PKI:                  spec.PKI{CertificateDays: 365, CADays: 3650},
			Network: spec.Network{PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/12", NodeCIDRMaskSize: 24, CNI: "bridge",
				ProxyMode: "nftables", DNSDomain: "cluster.local", NodePortRange: "30000-32767"},
			Addons: spec.Addons{MetricsServer: true},
		},
		Nodes: nodes, APIServers: nodes[:3], EtcdMembers: nodes[:3],
		ImagePause:         "registry.k8s.io/pause:3.10.2",
		ImageCoreDNS:       "registry.k8s.io/coredns/coredns:v1.14.2",
		ImageMetricsServer: "registry.k8s.io/metrics-server/metrics-server:v0.9.0",
	}
	for _, n := range nodes {
		if n.Name == self {
			c.Self = n
		}
	}
	return c
}

// Golden compares with a file of testdata, or writes it with -update.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it anew); got\n%s", path, got)
	}
}

// Binary is a real artefact from the user's store, as package artifact lays it
// out; without one the test is skipped.
func Binary(t *testing.T, name string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	found, _ := filepath.Glob(cache + "/quorate/store/sha256/*/" + name)
	if len(found) == 0 {
		t.Skipf("no %s in the store; build the artefacts first", name)
	}
	return found[0]
}
