package kube

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/unit"
)

var update = flag.Bool("update", false, "write the golden files anew")

// prod is a cluster of three control planes and a worker, seen from self.
func prod(self string) Context {
	nodes := []unit.Node{
		{Name: "cp1", Address: "10.0.0.11", PodCIDR: "10.244.0.0/24", ControlPlane: true, Etcd: true},
		{Name: "cp2", Address: "10.0.0.12", PodCIDR: "10.244.1.0/24", ControlPlane: true, Etcd: true},
		{Name: "cp3", Address: "10.0.0.13", PodCIDR: "10.244.2.0/24", ControlPlane: true, Worker: true, Etcd: true},
		{Name: "w1", Address: "10.0.0.21", PodCIDR: "10.244.3.0/24", Worker: true},
	}
	c := Context{
		Cluster: "prod",
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

var renderers = map[string]Renderer{
	"containerd":              Containerd,
	"kube-apiserver":          APIServer,
	"kube-controller-manager": ControllerManager,
	"kube-scheduler":          Scheduler,
	"kubelet":                 Kubelet,
	"kube-proxy":              KubeProxy,
	"quorate-routes":          PodNetwork,
}

// dump shows a service as it will lie on the disk.
func dump(s unit.Service) string {
	var b strings.Builder
	for _, f := range s.Rendered() {
		b.WriteString("==> " + f.Path + "\n" + strings.TrimSuffix(string(f.Content), "\n") + "\n")
	}
	b.WriteString("==> certificates: " + strings.Join(s.Certs, " ") + "\n")
	for _, v := range s.Verify {
		b.WriteString("==> verify: " + strings.Join(v, " ") + "\n")
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
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
		t.Errorf("%s differs (go test ./internal/kube -update writes it anew); got\n%s", path, got)
	}
}

func TestServices(t *testing.T) {
	for name, render := range renderers {
		for _, self := range []string{"cp1", "w1"} {
			s, err := render(prod(self))
			if err != nil {
				t.Fatal(err)
			}
			if s.Name != name {
				t.Errorf("%s is named %s", name, s.Name)
			}
			golden(t, s.Name+"."+self+".txt", dump(s))
		}
	}
}
