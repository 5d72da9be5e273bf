package step

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
)

// The exploit: who got hold of a host that had left found every key of the
// cluster in its kept files. Keys of another cluster are the user's to remove.
func TestDestroyKeys(t *testing.T) {
	const pem = "-----BEGIN PRIVATE KEY-----\n"
	dir := t.TempDir()
	put := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ours := map[string]string{"pki/ca.crt": "our ca", "pki/ca.key": pem + "ca", "pki/sa.key": pem + "sa",
		"pki/encryption.yaml": "apiVersion: x\nkind: EncryptionConfiguration\n"}
	kubernetes := filepath.Join(dir, "kubernetes")
	var sums []string
	for path, text := range ours {
		sums = append(sums, fmt.Sprintf("%x", sha256.Sum256([]byte(text))))
		put("kubernetes/"+path, text)
		put("kept/1"+kubernetes+"/"+path, text)
	}
	put("kubernetes/pki/apiserver-etcd-client.key", pem+"leaf")
	put("kubernetes/scheduler.conf", "users:\n- user:\n    client-key-data: xyz\n")
	put("kubernetes/audit-policy.yaml", "kind: Policy")
	put("kept/2"+kubernetes+"/pki/apiserver.key", pem+"an older leaf")
	put("kept/foreign"+kubernetes+"/pki/ca.crt", "another ca")
	put("kept/foreign"+kubernetes+"/pki/ca.key", pem+"another")
	put("kept/foreign"+kubernetes+"/pki/sa.key", ours["pki/sa.key"]) // a copy of ours among them
	put("kept/foreign/var/lib/etcd/member/snap/db", "lost writes")
	put("tar/"+strings.TrimPrefix(kubernetes, "/")+"/pki/ca.key", ours["pki/ca.key"])
	put("snapshots/1.db", "snapshot")
	put("snapshots/2.db.keys.tar", "no tar")
	if out, err := exec.Command("tar", "-C", dir+"/tar", "-cf", dir+"/snapshots/1.db.keys.tar", ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := exec.Command("tar", "-C", dir+"/tar", "-cf", dir+"/snapshots/1.db.keys.tar",
		strings.TrimPrefix(kubernetes, "/")+"/pki/ca.key").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, text, _ := strings.Cut(cleanText, "# destroy FILE")
	text, _, _ = strings.Cut(text, "# written PATH")
	text = "set -u\nfound=\nleaves=\" $* \"\ndie() { echo \"$1\" >&2; exit 1; }\nAT_KUBERNETES=" + kubernetes + " AT_PKI=" +
		kubernetes + "/pki AT_CA_CERT=" + kubernetes +
		"/pki/ca.crt AT_CA_KEY=" + kubernetes + "/pki/ca.key AT_KEPT=" + dir +
		"/kept AT_SNAPSHOTS=" + dir + "/snapshots\n#" + text + "destroy_keys\n"
	cmd := exec.Command("sh", append([]string{"-s"}, sums...)...)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var left []string
	if err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() && !strings.HasPrefix(path, dir+"/tar/") {
			left = append(left, strings.ReplaceAll(strings.TrimPrefix(path, dir+"/"), dir, ""))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{"kept/1/kubernetes/pki/ca.crt", "kept/foreign/kubernetes/pki/ca.crt", "kept/foreign/kubernetes/pki/ca.key",
		"kept/foreign/var/lib/etcd/member/snap/db", "kubernetes/audit-policy.yaml", "kubernetes/pki/ca.crt", "snapshots/1.db",
		"snapshots/2.db.keys.tar"}
	if !slices.Equal(left, want) {
		t.Errorf("left are\n%s", strings.Join(left, "\n"))
	}
	if got := string(out); !strings.Contains(got, "destroyed 11 files with keys") ||
		!strings.Contains(got, "left "+dir+"/snapshots/2.db.keys.tar") {
		t.Errorf("it said %s", got)
	}
}

// A host's keys are destroyed only after another host's were read in this run.
func TestKeysAreReadElsewhereFirst(t *testing.T) {
	at := layout.Systemd()
	ours, err := pki.NewShared(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	others, err := pki.NewShared(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		on   *pki.Shared // what cp2 has
		keep bool
		ran  bool
	}{"read": {&ours, false, true}, "others": {&others, false, false}, "none": {nil, false, false}, "kept": {nil, true, true}} {
		cp1, cp2 := hosttest.New("cp1"), hosttest.New("cp2")
		if x.on != nil {
			for _, f := range x.on.Files(at.PKI) {
				cp2.Put(f.Path, string(f.Content))
			}
		}
		var args []string
		cp1.Handle(func(_ context.Context, c host.Cmd, in []byte) (host.Result, error) {
			args = c.Args[len(c.Args)-1:]
			return hosttest.Framed(in, "output", "")
		}, "sh")
		have := model.New("prod")
		for _, id := range []model.HostID{"cp1", "cp2"} {
			have.Put(id, model.Host{Roles: model.ControlPlane, Reached: model.Is(true), Keys: model.Is(model.SharedKeys)})
		}
		e := Env{Host: cp1, Goal: &goal.Goal{Layout: at, Want: model.New("prod")}, Have: have, Shared: &ours, Say: func(string, ...any) {},
			Keep: func(string, string) {}, On: func(id model.HostID) host.Host {
				return map[model.HostID]host.Host{"cp1": cp1, "cp2": cp2}[id]
			}}
		err := Clean{on{"cp1", &model.Host{}}, x.keep, false}.Do(t.Context(), e)
		if (err == nil) != x.ran || (len(args) > 0) != x.ran || err != nil && !strings.Contains(err.Error(), "--keep-keys") {
			t.Errorf("%s: ran with %q, %v", name, args, err)
		}
		if x.ran && (len(args[0]) == 64) == x.keep {
			t.Errorf("%s: it ran with %q", name, args)
		}
	}
}
