package component_test

import (
	"fmt"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/component/componenttest"
	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// kubeadmProd is the cluster of componenttest in the kubeadm flavour.
func kubeadmProd(self string) component.Context {
	c := componenttest.Prod(self)
	c.Layout = layout.Kubeadm()
	c.Spec.Kubernetes.Flavour = spec.FlavourKubeadm
	c.Spec.PKI.KeyAlgorithm = "ECDSA-P256"
	c.ImageEtcd, c.ImageAPIServer = "registry.k8s.io/etcd:3.6.8-0", "registry.k8s.io/kube-apiserver:v1.36.3"
	c.ImageControllerManager, c.ImageScheduler = "registry.k8s.io/kube-controller-manager:v1.36.3", "registry.k8s.io/kube-scheduler:v1.36.3"
	if c.Self.ControlPlane {
		for _, v := range component.MadeByKubeadm {
			c.Pods[v] = workload.MadePod
		}
	}
	return c
}

func TestKubeadmConfig(t *testing.T) {
	c := kubeadmProd("cp2")
	c.CgroupV1 = true
	c.Spec.Components = map[string]spec.Component{"etcd": {ExtraArgs: map[string]spec.Values{"heartbeat-interval": {"200"}}},
		"kube-apiserver": {ExtraArgs: map[string]spec.Values{"v": {"2"}, "goaway-chance": {"0.002"}}}}
	text, err := component.KubeadmConfig(c, nil, etcd.New, c.EtcdMembers)
	if err != nil {
		t.Fatal(err)
	}
	componenttest.Golden(t, "kubeadm.cp2.yaml", string(text))
	shared, err := component.KubeadmShared(c)
	if err != nil {
		t.Fatal(err)
	}
	componenttest.Golden(t, "kubeadm.shared.yaml", string(shared))
	other, err := component.KubeadmShared(kubeadmProdWith("w1", c.Spec.Components))
	if err != nil || string(other) != string(shared) {
		t.Errorf("what all hosts share depends on the host (%v):\n%s", err, other)
	}
	for _, own := range []string{"cp2=https", "failCgroupV1", "initial-cluster\n", "taints", "tlsCertFile"} {
		if strings.Contains(string(shared), own) {
			t.Errorf("what all hosts share says %q", own)
		}
	}
}

// With external etcd kubeadm runs no member, and an API server asks all of them.
func TestKubeadmExternalEtcd(t *testing.T) {
	c := kubeadmProd("cp2")
	c.Spec.Etcd.Topology = spec.TopologyExternal
	c.EtcdMembers = []topology.Node{{Name: "e2", Address: "10.0.0.32", Etcd: true}, {Name: "e1", Address: "10.0.0.31", Etcd: true}}
	text, err := component.KubeadmConfig(c, nil, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = `etcd:
  external:
    caFile: /etc/kubernetes/pki/etcd/ca.crt
    certFile: /etc/kubernetes/pki/apiserver-etcd-client.crt
    endpoints:
    - https://10.0.0.31:2379
    - https://10.0.0.32:2379
    keyFile: /etc/kubernetes/pki/apiserver-etcd-client.key
`
	if !strings.Contains(string(text), want) {
		t.Errorf("%s", text)
	}
	render, err := component.RendererOf(model.APIServer, c)
	if err != nil {
		t.Fatal(err)
	}
	svc, err := render(c)
	if err != nil || svc.Made.Flags["etcd-servers"] != "https://10.0.0.31:2379,https://10.0.0.32:2379" {
		t.Errorf("%v, %v", svc.Made, err)
	}
}

func kubeadmProdWith(self string, of map[string]spec.Component) component.Context {
	c := kubeadmProd(self)
	c.Spec.Components = of
	return c
}

// The services of the flavour: the kubelet's files, and what of kubeadm's
// manifests is compared.
func TestKubeadmServices(t *testing.T) {
	for _, self := range []string{"cp1", "w1"} {
		c := kubeadmProd(self)
		kubelet, err := component.Kubelet(c)
		if err != nil {
			t.Fatal(err)
		}
		out := dump(kubelet)
		for _, v := range component.MadeByKubeadm {
			if !component.Table[v].On(c) {
				continue
			}
			render, err := component.RendererOf(v, c)
			if err != nil {
				t.Fatal(err)
			}
			s, err := render(c)
			if err != nil {
				t.Fatal(err)
			}
			out += fmt.Sprintf("==> %s by kubeadm init phase %s\nimage %s\nreads %s\n%s\n", s.Path(), strings.Join(s.Made.Phase, " "),
				s.Made.Image, strings.Join(s.Made.Reads, " "), strings.Join(workload.Words("flags", s.Made.Flags, nil)[1:], "\n")) + dump(s)
		}
		componenttest.Golden(t, "kubeadm."+self+".txt", out)
		if component.Table[model.KubeProxy].On(c) {
			t.Errorf("%s runs a kube-proxy of its own, beside kubeadm's", self)
		}
	}
}

// What kubeadm's file of flags cannot carry is refused.
func TestKubeadmKubeletFlags(t *testing.T) {
	c := kubeadmProdWith("w1", map[string]spec.Component{"kubelet": {ExtraArgs: map[string]spec.Values{"node-labels": {`a="b"`}}}})
	if _, err := component.Kubelet(c); err == nil || !strings.Contains(err.Error(), "spec.components.kubelet.extraArgs.node-labels") {
		t.Errorf("a quote in a flag: %v", err)
	}
}

// What the user adds to a static pod is in kubeadm's configuration, and its mark,
// too; patches lie on the host and set another mark. Without any of it there is no
// mark, so that clusters made before do not restart.
func TestKubeadmCustomised(t *testing.T) {
	service := func(c component.Context) workload.Service {
		render, err := component.RendererOf(model.APIServer, c)
		if err != nil {
			t.Fatal(err)
		}
		s, err := render(c)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	c := kubeadmProd("cp1")
	if s := service(c); s.Made.Mark != "" || len(s.Files) != 1 {
		t.Errorf("nothing is added, and there is %+v", s.Made)
	}
	c.Spec.Components = map[string]spec.Component{"kube-apiserver": {
		ExtraArgs: map[string]spec.Values{"oidc-required-claim": {"b=1", "a=2"}},
		ExtraEnvs: []spec.Env{{Name: "GOMEMLIMIT", Value: "3GiB"}},
		ExtraVolumes: []spec.Volume{{Name: "webhook", HostPath: "/etc/webhook", MountPath: "/etc/webhook", ReadOnly: true},
			{Name: "out", HostPath: "/var/out", MountPath: "/out", PathType: "DirectoryOrCreate"}}}}
	custom := service(c)
	shared, err := component.KubeadmShared(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  - name: oidc-required-claim\n    value: b=1\n  - name: oidc-required-claim\n    value: a=2\n",
		"  extraEnvs:\n  - name: GOMEMLIMIT\n    value: 3GiB\n  - name: QUORATE_CONFIG\n    value: " + custom.Made.Mark + "\n",
		"  - hostPath: /etc/webhook\n    mountPath: /etc/webhook\n    name: webhook\n    readOnly: true\n"} {
		if !strings.Contains(string(shared), want) {
			t.Errorf("lacks\n%s\n%s", want, shared)
		}
	}
	if got := custom.Made.Sources; len(got) != 1 || got[0] != "/etc/webhook" {
		t.Errorf("must be there: %v", got)
	}
	c.Patches = []spec.Patch{{Name: "kube-apiserver+merge.yaml", Target: "kube-apiserver", Content: []byte("spec: {priority: 7}\n")},
		{Name: "etcd.yaml", Target: "etcd", Content: []byte("spec: {priority: 8}\n")}}
	patched := service(c)
	if patched.Made.Mark == custom.Made.Mark || len(patched.Files) != 3 {
		t.Fatalf("%+v", patched)
	}
	if last := patched.Files[2]; !last.Cold || last.Path != "/etc/kubernetes/patches/kube-apiserver~quorate+strategic.yaml" ||
		!strings.Contains(string(last.Content), patched.Made.Mark) {
		t.Errorf("%s", last.Content)
	}
	again, err := component.KubeadmShared(c)
	if err != nil || string(again) != string(shared) {
		t.Errorf("a patch changes what is kept in the cluster: %v", err)
	}
	text, err := component.KubeadmConfig(c, nil, "", nil)
	if err != nil || !strings.Contains(string(text), "patches:\n  directory: /etc/kubernetes/patches\n") {
		t.Errorf("%v\n%s", err, text)
	}
}
