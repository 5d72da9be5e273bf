package etcd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/etcd"
)

// TestIdentity reads the log of a member that runs, and asks it.
func TestIdentity(t *testing.T) {
	c := newTestCluster(t, 1)
	m := c.start(c.nodes[0], etcd.New, c.nodes[0])
	client := m.client()
	eventually(t, "the member serves", client.Health)
	st, err := client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(c.dir, c.nodes[0].Name, "data/member/wal/*.wal"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	log, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	member, cluster, err := etcd.Identity(log[:128])
	if err != nil || member != st.ID || cluster != st.ClusterID {
		t.Errorf("by its log it is %x of %x (%v), by itself %x of %x", member, cluster, err, st.ID, st.ClusterID)
	}
	for n := range 40 {
		if _, of, err := etcd.Identity(log[:n]); err == nil && of != cluster {
			t.Errorf("of %d bytes it makes the cluster %x", n, of)
		}
	}
	for _, bad := range [][]byte{nil, make([]byte, 128), []byte(strings.Repeat("x", 128))} {
		if _, of, err := etcd.Identity(bad); err == nil {
			t.Errorf("%q is of the cluster %x", bad, of)
		}
	}
}

// TestRecordPast runs the script itself, in a folder of its own.
func TestRecordPast(t *testing.T) {
	at := filepath.Join(t.TempDir(), "etc", "past")
	script := strings.ReplaceAll(etcd.RecordSuperseded, etcd.SupersededPath, at)
	record := func(ids ...string) string {
		if out, err := exec.Command("sh", append([]string{"-euc", script, "sh"}, ids...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		b, err := os.ReadFile(at)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := record(); got != "" {
		t.Errorf("nothing to record, and it wrote %q", got)
	}
	record("b2", "a1")
	if got := record("c3", "a1"); got != "a1\nb2\nc3\n" {
		t.Errorf("%q", got)
	}
	if got := record(); got != "a1\nb2\nc3\n" {
		t.Errorf("%q", got)
	}
}
