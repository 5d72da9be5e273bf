package kubeadm

import (
	"slices"
	"testing"
)

func TestRead(t *testing.T) {
	for name, text := range map[string]string{
		"v1beta3": "apiVersion: kubeadm.k8s.io/v1beta3\nkubernetesVersion: v1.35.4\napiServer: {extraArgs: {b: \"2\", a: \"1\"}}\n",
		"v1beta4": "apiVersion: kubeadm.k8s.io/v1beta4\nkubernetesVersion: v1.36.3\n" +
			"apiServer: {extraArgs: [{name: a, value: \"1\"}, {name: b, value: \"2\"}]}\nnew: {field: 1}\n",
	} {
		f, err := Read([]byte(text))
		if err != nil || !slices.Equal(f.APIServer.ExtraArgs, FoundArgs{{"a", "1"}, {"b", "2"}}) {
			t.Errorf("%s: %+v, %v", name, f.APIServer.ExtraArgs, err)
		}
	}
	if _, err := Read([]byte("kind: ClusterConfiguration\n")); err == nil {
		t.Error("a configuration without version was taken")
	}
}

// What is set is in the document, and all else is as it was.
func TestDocument(t *testing.T) {
	const text = "apiVersion: kubeadm.k8s.io/v1beta4\n# of the platform team\nkubernetesVersion: v1.36.3\n" +
		"apiServer:\n  certSANs:\n    - a\ndns: {}\netcd:\n  local:\n    dataDir: /d\n"
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if same, err := d.Text(); err != nil || string(same) != text {
		t.Errorf("nothing was set, and it became\n%s", same)
	}
	d.AddSANs("a", "b")
	d.SetEtcdArg("initial-cluster", "x")
	d.SetEtcdArg("initial-cluster", "y")
	got, err := d.Text()
	want := "apiVersion: kubeadm.k8s.io/v1beta4\n# of the platform team\nkubernetesVersion: v1.36.3\n" +
		"apiServer:\n  certSANs:\n    - a\n    - \"b\"\ndns: {}\netcd:\n  local:\n    dataDir: /d\n" +
		"    extraArgs:\n      - name: initial-cluster\n        value: \"y\"\n"
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
	if f, err := Read(got); err != nil || len(f.Etcd.Local.ExtraArgs) != 1 || f.Etcd.Local.ExtraArgs[0].Value != "y" {
		t.Errorf("%v %+v", err, f.Etcd.Local)
	}
	old, err := Parse([]byte("apiVersion: kubeadm.k8s.io/v1beta3\nkubernetesVersion: v1.35.4\netcd: {local: {}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	old.SetEtcdArg("initial-cluster", "z")
	got, _ = old.Text()
	if f, err := Read(got); err != nil || len(f.Etcd.Local.ExtraArgs) != 1 || f.Etcd.Local.ExtraArgs[0].Value != "z" {
		t.Errorf("%v\n%s", err, got)
	}
}
