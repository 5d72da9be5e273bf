package step

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/workload"
)

// The exploit: a program in a host's store was trusted when it was not empty.
// What has another digest than its name says is not used, and kept.
func TestPlaceHashes(t *testing.T) {
	dir := t.TempDir()
	sum := func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }
	put := func(at, text string) string {
		t.Helper()
		at = filepath.Join(dir, at)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return at
	}
	name := func(of, program string) string { return "sha256/" + sum(of) + "/" + program }
	put("seed/"+name("etcd", "etcd"), "etcd")
	put("seed/"+name("runc", "runc"), "swapped")
	put("store/"+name("runc", "runc"), "runc")
	kubelet := put("store/"+name("kubelet", "kubelet"), "kubelet")
	script := func() string {
		t.Helper()
		vars := fmt.Sprintf("set -eu\nAT_SEED=%[1]s/seed AT_STORE=%[1]s/store AT_KEPT=%[1]s/kept AT_RUN=%[1]s/run\n", dir)
		cmd := exec.Command("sh", "-s", name("etcd", "etcd"), name("runc", "runc"), name("kubelet", "kubelet"), name("none", "none"))
		cmd.Stdin = strings.NewReader(vars + workload.DigestScript + placeScript)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.ReplaceAll(string(out), dir, "")
	}
	want := fmt.Sprintf("there %s /seed\nthere %s /store\n", name("etcd", "etcd"), name("runc", "runc"))
	there := fmt.Sprintf("there %s /store\n", name("kubelet", "kubelet"))
	for range 2 { // read, and remembered
		if got := script(); got != want+there {
			t.Fatalf("got\n%swant\n%s", got, want+there)
		}
	}
	was, err := os.Stat(kubelet)
	if err != nil {
		t.Fatal(err)
	}
	swapped := put("swapped", "KUBELET") // of the same size and age
	if err := os.Chtimes(swapped, was.ModTime(), was.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(swapped, kubelet); err != nil {
		t.Fatal(err)
	}
	got, is := strings.CutPrefix(script(), want+"changed "+name("kubelet", "kubelet")+" /kept/")
	stamp, _, _ := strings.Cut(got, "/")
	kept, err := os.ReadFile(filepath.Join(dir, "kept", stamp, dir, "store", name("kubelet", "kubelet")))
	if !is || err != nil || string(kept) != "KUBELET" {
		t.Errorf("a swapped program: %q, kept %q, %v", got, kept, err)
	}
	if seen, err := os.Stat(filepath.Join(dir, "run/digests")); err != nil || seen.Mode().Perm() != 0o600 {
		t.Errorf("what was read is remembered in %v, %v", seen, err)
	}
}
