package goal

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"quorate.dev/quorate/internal/addon"
)

func TestNodeSettings(t *testing.T) {
	f := file(t, strings.Replace(clusterFile, "roles: [worker]",
		"roles: [worker], labels: {rack: r1}, taints: [{key: gpu, effect: NoExecute}]", 1))
	g, err := Build(f, arts(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := g.NodeSettings("w1")
	if s.Labels["rack"] != "r1" || len(s.Taints) != 1 || s.Taints[0] != (corev1.Taint{Key: "gpu", Effect: corev1.TaintEffectNoExecute}) {
		t.Errorf("%+v", s)
	}
	if s := g.NodeSettings("cp1"); len(s.Labels)+len(s.Taints) > 0 {
		t.Errorf("%+v", s)
	}
	if s := g.NodeSettings("gone"); len(s.Labels)+len(s.Taints) > 0 {
		t.Errorf("%+v", s)
	}
}

// With a DNS of one's own CoreDNS is neither wanted nor taken away.
func TestOwnDNS(t *testing.T) {
	for _, flavour := range []string{"systemd", "kubeadm"} {
		text := strings.Replace(clusterFile, "v1.36.3}", "v1.36.3, flavour: "+flavour+"}", 1)
		with, err := Build(file(t, text), arts(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		without, err := Build(file(t, strings.Replace(text, "  hosts:", "  addons: {ownDNS: true}\n  hosts:", 1)), arts(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, there := with.Want.Addons[addon.AddonCoreDNS]
		_, still := without.Want.Addons[addon.AddonCoreDNS]
		if !there || still {
			t.Errorf("%s: CoreDNS is wanted: %v, with a DNS of one's own: %v", flavour, there, still)
		}
	}
}
