package addon

import (
	"maps"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/component/componenttest"
	"quorate.dev/quorate/internal/kubeapi"
	"sigs.k8s.io/yaml"
)

func TestAddons(t *testing.T) {
	addons, err := Addons(componenttest.Prod("cp1"), []byte("CA\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addons {
		var b strings.Builder
		for _, o := range a.Objects {
			body, err := kubeapi.ApplyBody(o)
			if err != nil {
				t.Fatal(err)
			}
			text, err := yaml.JSONToYAML(body)
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString("---\n" + string(text))
		}
		componenttest.Golden(t, "addon-"+a.Name+".yaml", b.String())
	}
}

// A digest is the same from every host, and changes with what it stands for.
func TestDigests(t *testing.T) {
	digests := func(c component.Context) map[string]string {
		t.Helper()
		d, err := Digests(c)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	base := digests(componenttest.Prod("cp1"))
	if !maps.Equal(base, digests(componenttest.Prod("w1"))) {
		t.Error("digests depend on the host")
	}
	lone := componenttest.Prod("cp1")
	lone.Nodes = lone.Nodes[:1]
	lone.Spec.ControlPlaneEndpoint = "other.internal:8443"
	lone.Spec.Addons.MetricsServer = false
	lone.Spec.Network.CNI = "/home/me/calico.yaml"
	lone.CNIManifest = []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: cni}\n---\n\n---\napiVersion: v1\nkind: " +
		"ServiceAccount\nmetadata: {name: cni, namespace: cni}\n")
	d := digests(lone)
	for name, same := range map[string]bool{AddonRBAC: true, AddonClusterInfo: false, AddonCoreDNS: false} {
		if (d[name] == base[name]) != same {
			t.Errorf("%s: %s and %s", name, base[name], d[name])
		}
	}
	if d[AddonMetricsServer] != "" || d[AddonCNI] == "" || base[AddonCNI] != "" {
		t.Errorf("%v", d)
	}
	lone.CNIManifest = []byte("apiVersion: v1\nmetadata: {name: cni}\n")
	if _, err := Digests(lone); err == nil || !strings.Contains(err.Error(), "document 1") {
		t.Errorf("a manifest without a kind: %v", err)
	}
}
