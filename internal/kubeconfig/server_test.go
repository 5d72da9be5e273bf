package kubeconfig

import (
	"strings"
	"testing"
)

// admin is as kubeadm and people write it: comments, and keys in another order.
const admin = `apiVersion: v1
# ours since 2021
clusters:
- cluster:
    certificate-authority-data: QUJD
    server: https://10.0.0.11:6443
  name: kubernetes
contexts:
- context: {cluster: kubernetes, user: admin}
  name: admin@kubernetes
current-context: admin@kubernetes
kind: Config
users:
- name: admin
  user: {token: secret}
`

func TestSetServer(t *testing.T) {
	got, err := SetServer([]byte(admin), "https://api.prod.internal:8443")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(admin, "https://10.0.0.11:6443", "https://api.prod.internal:8443", 1); string(got) != want {
		t.Errorf("more than the server changed:\n%s", got)
	}
	if server, err := Server(got); err != nil || server != "https://api.prod.internal:8443" {
		t.Errorf("it leads to %q, %v", server, err)
	}
	two := strings.Replace(admin, "contexts:", "- cluster:\n    server: https://10.9.9.8:6443\n  name: other\ncontexts:", 1)
	for name, text := range map[string]string{"two clusters": two, "no server": "kind: Config\n", "no YAML": "server: [\n"} {
		if got, err := SetServer([]byte(text), "https://x:1"); err == nil {
			t.Errorf("%s: no error; it is\n%s", name, got)
		}
	}
}
