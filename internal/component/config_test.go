package component_test

import (
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/component/componenttest"
	"quorate.dev/quorate/internal/kubeconfig"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/workload"
)

func content(t *testing.T, s workload.Service, err error, path string) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Rendered() {
		if f.Path == path {
			return string(f.Content)
		}
	}
	t.Fatalf("%s has no %s", s.Name, path)
	return ""
}

func TestUserConfiguration(t *testing.T) {
	c := componenttest.Prod("w1")
	c.Spec.KubeletConfiguration = map[string]any{"failCgroupV1": false, "maxPods": 0, "resolvConf": "",
		"authentication": map[string]any{"webhook": map[string]any{"cacheTTL": "1m0s"}}}
	s, err := component.Kubelet(c)
	got := content(t, s, err, "/var/lib/kubelet/config.yaml")
	for _, want := range []string{"failCgroupV1: false", "maxPods: 0", `resolvConf: ""`, "    cacheTTL: 1m0s\n    enabled: true"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	c.Spec.KubeletConfiguration = map[string]any{"maxPodz": 3}
	if _, err := component.Kubelet(c); err == nil || !strings.Contains(err.Error(), "spec.kubeletConfiguration") ||
		!strings.Contains(err.Error(), "maxPodz") {
		t.Errorf("an unknown key: %v", err)
	}
	c.Spec.KubeProxyConfiguration = map[string]any{"conntrack": map[string]any{"maxPerCore": 0}}
	s, err = component.KubeProxy(c)
	if got := content(t, s, err, "/var/lib/kube-proxy/config.yaml"); !strings.Contains(got, "maxPerCore: 0") {
		t.Error(got)
	}
}

func TestFacts(t *testing.T) {
	c := componenttest.Prod("cp3") // a control plane that is a worker too
	c.CgroupV1, c.ResolvConf = true, "/run/systemd/resolve/resolv.conf"
	s, err := component.Kubelet(c)
	got := content(t, s, err, "/var/lib/kubelet/config.yaml")
	if !strings.Contains(got, "failCgroupV1: false") || !strings.Contains(got, "resolvConf: /run/systemd/resolve/resolv.conf") ||
		strings.Contains(got, "registerWithTaints") {
		t.Error(got)
	}
}

func TestExtraArgs(t *testing.T) {
	c := componenttest.Prod("cp2")
	c.Spec.Components = map[string]spec.Component{"kube-apiserver": {ExtraArgs: map[string]spec.Values{
		"event-ttl": {"1h"}, "v": {"2"}, "feature-gates": {`A=true,B="x y"`}, "cors-allowed-origins": {`100%$`}}}}
	s, err := component.APIServer(c)
	got := content(t, s, err, "/etc/systemd/system/kube-apiserver.service")
	for _, want := range []string{" --event-ttl=1h ", " --v=2\n", ` "--feature-gates=A=true,B=\"x y\"" `, ` --cors-allowed-origins=100%%$$ `,
		"--etcd-servers=https://10.0.0.12:2379,https://10.0.0.11:2379,https://10.0.0.13:2379 "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	none, share, net, pause := componenttest.Prod("cp1"), componenttest.Prod("w1"), componenttest.Prod("w1"), componenttest.Prod("w1")
	none.EtcdMembers = nil
	share.Self.PodCIDR = ""
	net.Spec.Network.ServiceCIDR = "10.96.0.0/30"
	pause.ImagePause = ""
	for _, c := range []struct {
		render component.Renderer
		ctx    component.Context
		want   string
	}{{component.APIServer, none, "etcd"}, {component.PodNetwork, share, "w1"}, {component.Kubelet, net, "serviceCIDR"},
		{component.Containerd, pause, "pause"}} {
		if _, err := c.render(c.ctx); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want an error about %s, got %v", c.want, err)
		}
	}
}

func TestKubeconfigs(t *testing.T) {
	a, err := kubeconfig.Kubeconfig("prod", "admin", "https://api.prod.internal:8443", []byte("CA"), []byte("CERT"), []byte("KEY"))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := kubeconfig.Kubeconfig("lab", "admin", "https://api.lab.internal:8443", []byte("CA"), nil, nil)
	var merged []byte
	for _, add := range [][]byte{b, a, a} {
		if merged, err = kubeconfig.MergeKubeconfig(merged, add); err != nil {
			t.Fatal(err)
		}
	}
	c, err := clientcmd.Load(merged)
	if err != nil || len(c.Clusters) != 2 || len(c.AuthInfos) != 2 || c.CurrentContext != "admin@prod" {
		t.Errorf("%v\n%s", err, merged)
	}
	if _, err := kubeconfig.MergeKubeconfig([]byte("{"), a); err == nil {
		t.Error("a broken file was taken for an empty one")
	}
}
