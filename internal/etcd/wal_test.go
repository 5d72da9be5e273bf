package etcd_test

import (
	"bytes"
	"fmt"
	"os"
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
	member, cluster, err := etcd.Identity(bytes.NewReader(log[:128]))
	if err != nil || member != st.ID || cluster != st.ClusterID {
		t.Errorf("by its log it is %x of %x (%v), by itself %x of %x", member, cluster, err, st.ID, st.ClusterID)
	}
	for n := range 40 {
		if _, of, err := etcd.Identity(bytes.NewReader(log[:n])); err == nil && of != cluster {
			t.Errorf("of %d bytes it makes the cluster %x", n, of)
		}
	}
	for _, bad := range [][]byte{nil, make([]byte, 128), []byte(strings.Repeat("x", 128))} {
		if _, of, err := etcd.Identity(bytes.NewReader(bad)); err == nil {
			t.Errorf("%q is of the cluster %x", bad, of)
		}
	}
}

// TestReadPosition reads the log of a real member after each write, then with a
// torn end, as a power cut leaves it.
func TestReadPosition(t *testing.T) {
	c := newTestCluster(t, 1)
	m := c.start(c.nodes[0], etcd.New, c.nodes[0])
	client := m.client()
	eventually(t, "the member serves", client.Health)
	read := func() (etcd.Position, []byte) {
		files, err := filepath.Glob(filepath.Join(c.dir, c.nodes[0].Name, "data/member/wal/*.wal"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%v, %v", files, err)
		}
		log, err := os.ReadFile(files[len(files)-1])
		if err != nil {
			t.Fatal(err)
		}
		p, err := etcd.ReadPosition(bytes.NewReader(log))
		if err != nil {
			t.Fatal(err)
		}
		return p, log
	}
	before, _ := read()
	for i := range 20 {
		if _, err := client.Etcd.Put(t.Context(), fmt.Sprint("/k", i), strings.Repeat("v", 100)); err != nil {
			t.Fatal(err)
		}
	}
	after, log := read()
	st, err := client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// What is committed is told with the write after it.
	if after.Term != st.Term || after.Last < before.Last+20 || after.Index+1 < after.Last || !before.Before(after) || after.Before(before) {
		t.Errorf("from %+v to %+v; it says term %d", before, after, st.Term)
	}
	used := len(bytes.TrimRight(log, "\x00"))
	torn := bytes.Clone(log)
	clear(torn[used-40:])
	if p, err := etcd.ReadPosition(bytes.NewReader(torn)); err != nil || !p.Before(after) || p.Last+2 < after.Last {
		t.Errorf("with a torn end: %+v of %+v, %v", p, after, err)
	}
	for n := range used {
		if p, err := etcd.ReadPosition(bytes.NewReader(log[:n])); err == nil && after.Before(p) {
			t.Fatalf("of %d bytes it makes %+v", n, p)
		}
	}
	for _, bad := range [][]byte{nil, make([]byte, 4096), []byte(strings.Repeat("x", 4096))} {
		if p, err := etcd.ReadPosition(bytes.NewReader(bad)); err == nil {
			t.Errorf("%q: %+v", bad[:4], p)
		}
	}
}
