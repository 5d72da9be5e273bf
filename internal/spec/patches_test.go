package spec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each patch is good, or refused with these words; the file and the line are said.
func TestPatches(t *testing.T) {
	const container = "spec:\n  containers:\n  - name: kube-apiserver\n"
	for _, test := range []struct{ name, text, want string }{
		{"kube-apiserver.yaml", container + "    resources: {limits: {memory: 4Gi}}\n", ""},
		{"kube-apiserver0.yaml", container + "    env:\n    - $patch: delete\n      name: HTTP_PROXY\n", ""},
		{"etcd-cpu+merge.json", `{"spec": {"priority": 7, "hostAliases": null}}`, ""},
		{"kube-scheduler+json.yaml", "- {op: add, path: /metadata/annotations/a~1b, value: c}\n" +
			"- {op: add, path: /spec/containers/-, value: {name: x}}\n", ""},
		{"kube-apiserver1+json.yaml", "- op: replace\n  path: /spec/containers/0/livenessProbe/failureThreshold\n  value: 9\n", ""},
		{"two.documents", "", "names no patch"},
		{"kube-apiserver2.yaml", "metadata: {annotations: {a: b}}\n---\nspec: {hostIPC: false}\n", ""},

		{"kube-apisever.yaml", "a: b", "kube-apisever.yaml: the file's name names no patch; did you mean kube-apiserver?"},
		{"kubelet.yaml", "a: b", "names no patch"},
		{"kubeletconfiguration.yaml", "a: b", "quorate writes it: use spec.kubeletConfiguration"},
		{"corednsdeployment.yaml", "a: b", "not supported"},
		{"etcd+merg.yaml", "a: b", "unknown type of patch merg; expected strategic, merge or json after +"},
		{"etcd+.yaml", "a: b", "unknown type of patch"},
		{"etcd.yml", "a: b", "names no patch"},
		{"etcd~quorate.yaml", "a: b", "quorate's own"},
		{"etcd.yaml", "", "the patch is empty"},
		{"etcd.yaml", "a: [", "not YAML"},
		{"etcd.yaml", "\nspec:\n  hostNetwrk: true\n", "etcd.yaml:3:3: spec.hostNetwrk: unknown key; did you mean hostNetwork?"},
		{"etcd.yaml", "spec: {priority: high}", "spec.priority: high is a string; expected a whole number"},
		{"etcd.yaml", "spec: {containers: [{image: x}]}", "finds the container by its name"},
		{"etcd+merge.yaml", "spec: {containers: [{name: etcd}]}", "a merge patch replaces the whole list"},
		{"kube-apiserver.yaml", container + "    command: [x]\n", "the command is not patched"},
		{"kube-apiserver.yaml", container + "    image: x\n", "the image is not patched"},
		{"kube-apiserver.yaml", container + "    env: [{name: QUORATE_CONFIG, value: x}]\n", "quorate's own"},
		{"kube-apiserver.yaml", "metadata: {name: other}", "name and namespace of a static pod are kubeadm's"},
		{"etcd+json.yaml", "- {op: put, path: /spec}", "unknown operation put"},
		{"etcd+json.yaml", "- {op: add, path: /spec/hostNetwrk, value: true}", "/spec/hostNetwrk names none; did you mean hostNetwork?"},
		{"etcd+json.yaml", "- {op: add, path: spec}", "spec is none"},
		{"etcd+json.yaml", "- {op: add, path: /spec/volumes/first}", "first is no place in a list"},
		{"etcd+json.yaml", "- {op: add, path: /spec/hostNetwork/x}", "holds nothing below it"},
		{"etcd+json.yaml", "- {op: add, path: /spec/containers/0/command/-, value: --x}", "are not patched"},
		{"etcd+json.yaml", "- {op: remove, path: /spec/containers}", "are not patched"},
		{"etcd+json.yaml", "{op: add}", "expected a list"},
		{"etcd+json.yaml", "- {op: add, pth: /spec}", "[0].pth: unknown key; did you mean path?"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, test.name), []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := LoadPatches(dir)
		switch {
		case test.want == "" && (err != nil || len(got) != 1):
			t.Errorf("%s %q: %v", test.name, test.text, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s %q: got %v, want %q", test.name, test.text, err, test.want)
		}
	}
	if _, err := LoadPatches(t.TempDir()); err == nil || !strings.Contains(err.Error(), "holds no patches") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := LoadPatches("/nonexistent"); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("no folder: %v", err)
	}
}

// A wrong patch is a mistake of the cluster file that names its folder.
func TestPatchesOfAFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "patches"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(good, "v1.36.3}", "v1.36.3, flavour: kubeadm}\n  patchesFolder: patches", 1)
	load := func(patch string) error {
		if err := os.WriteFile(filepath.Join(dir, "patches", "etcd.yaml"), []byte(patch), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := LoadBytes(filepath.Join(dir, "c.yaml"), []byte(text))
		return err
	}
	if err := load("spec: {priority: 7}"); err != nil {
		t.Error(err)
	}
	place := filepath.Join(dir, "patches", "etcd.yaml") + ":1:8: spec.prio: unknown key"
	if err := load("spec: {prio: 7}"); err == nil || !strings.Contains(err.Error(), place) {
		t.Error(err)
	}
	text = strings.Replace(text, ", flavour: kubeadm", "", 1)
	if err := load("spec: {priority: 7}"); err == nil || !strings.Contains(err.Error(), "only kubeadm's manifests are patched") {
		t.Error(err)
	}
}
