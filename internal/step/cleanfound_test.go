package step

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/layout"
)

// Off a host that others have set up goes what kubeadm put there: its keys are
// destroyed, and nobody else's; the rest is kept, or left where it is and named. The
// same run twice, as after a cut, does no more.
func TestCleanFound(t *testing.T) {
	dir := t.TempDir()
	at := layout.Kubeadm()
	at.Own.Kept, at.Kubernetes, at.PKI.Dir, at.PKI.Conf = dir+"/kept", dir+"/kubernetes", dir+"/kubernetes/pki", dir+"/kubernetes"
	at.PKI.CA.Cert, at.Kubelet.Manifests, at.CNI.Conf = dir+"/kubernetes/pki/ca.crt", dir+"/kubernetes/manifests", dir+"/cni"
	at.Own.Snapshots, at.APIServer.Logs, at.KubeProxy.Root = dir+"/snapshots", dir+"/log", dir+"/kube-proxy"
	const pem = "-----BEGIN PRIVATE KEY-----\n"
	for path, text := range map[string]string{"pki/ca.crt": "ca", "pki/ca.key": pem + "ca", "pki/apiserver.key": pem + "leaf",
		"pki/etcd/peer.key": pem + "peer", "pki/oidc.key": pem + "somebody else's", "admin.conf": "client-key-data: x\n",
		"kubelet.conf": "client-key: /var/lib/kubelet/pki/kubelet-client-current.pem\n", "extra/webhook.conf": "client-key-data: x\n",
		"audit.yaml": "kind: Policy", "manifests/kube-apiserver.yaml": "pod", "manifests/kube-vip.yaml": "pod", "../cni/10-x.conflist": "{}",
		"../log/audit.log": "{}"} {
		path = filepath.Join(dir, "kubernetes", path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := cleanScript(at, true)
	_, functions, _ := strings.Cut(text, "# keep PATH")
	functions, _, _ = strings.Cut(functions, "# private_copies:")
	vars, _, _ := strings.Cut(text, "set -u")
	script := vars + `set -u
leaves=" $* " kept=
die() { echo "$1" >&2; exit 1; }
#` + functions + cleanFoundText + "name_manifests\ndestroy_keys\nkeep $kubeadms\nname_left\n"
	for i, want := range []string{"destroyed 4 files with keys", "left " + dir + "/kubernetes/audit.yaml, which"} {
		cmd := exec.Command("sh", "-s", fmt.Sprintf("%x", sha256.Sum256([]byte(pem+"ca"))))
		cmd.Stdin = strings.NewReader(script)
		out, err := cmd.CombinedOutput()
		said := string(out)
		if err != nil || !strings.Contains(said, want) {
			t.Fatalf("%v: %s", err, said)
		}
		for _, line := range []string{"left the static pod kube-vip.yaml", "/pki/oidc.key, a key that kubeadm did not make"} {
			if (i == 0) != strings.Contains(said, line) {
				t.Errorf("run %d: %q in\n%s", i, line, said)
			}
		}
		for _, line := range []string{"/kubernetes/extra, which kubeadm did not make; there are private keys in it\n", "/log, which",
			"/cni/10-x.conflist"} {
			if !strings.Contains(said, line) {
				t.Errorf("run %d: no %q in\n%s", i, line, said)
			}
		}
	}
	var left []string
	_ = filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			path = strings.ReplaceAll(strings.TrimPrefix(path, dir), dir, "")
			if _, below, ok := strings.Cut(path, "/kept/"); ok { // the folder is named by the time
				_, below, _ = strings.Cut(below, "/")
				path = "kept " + below
			}
			left = append(left, path)
		}
		return err
	})
	want := []string{"/cni/10-x.conflist", "/kubernetes/audit.yaml", "/kubernetes/extra/webhook.conf", "/log/audit.log"}
	for _, f := range []string{"kubelet.conf", "manifests/kube-apiserver.yaml", "manifests/kube-vip.yaml", "pki/ca.crt", "pki/oidc.key"} {
		want = append(want, "kept kubernetes/"+f)
	}
	slices.Sort(left)
	if !slices.Equal(left, want) {
		t.Errorf("left are\n%s", strings.Join(left, "\n"))
	}
}
