package etcd_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/layout"
)

// What may become of a snapshot on the way, and what is none: a real one is
// judged by us, and by the script with the real etcdutl.
func TestBrokenSnapshots(t *testing.T) {
	c := newTestCluster(t, 1)
	m := c.start(c.nodes[0], etcd.New, c.nodes[0])
	one := m.client()
	eventually(t, "healthy", one.Health)
	if _, err := one.Etcd.Put(t.Context(), "key", "value"); err != nil {
		t.Fatal(err)
	}
	var good bytes.Buffer
	if _, err := one.Snapshot(t.Context(), &good); err != nil {
		t.Fatal(err)
	}
	live, err := os.ReadFile(filepath.Join(c.dir, c.nodes[0].Name, "data/member/snap/db"))
	if err != nil {
		t.Fatal(err)
	}
	summed := func(b []byte) []byte {
		sum := sha256.Sum256(b)
		return append(bytes.Clone(b), sum[:]...)
	}
	change := func(f func([]byte) []byte) []byte { return f(bytes.Clone(good.Bytes())) }
	dir := t.TempDir()
	for _, x := range []struct {
		name, problem string
		content       []byte
	}{
		{"good", "", good.Bytes()},
		{"flipped", "does not match its checksum", change(func(b []byte) []byte { b[len(b)/2] ^= 4; return b })},
		{"sum-flipped", "does not match its checksum", change(func(b []byte) []byte { b[len(b)-1] ^= 1; return b })},
		{"cut", "no checksum at its end", change(func(b []byte) []byte { return b[:len(b)-5000] })},
		{"cut-at-a-sector", "does not match its checksum", change(func(b []byte) []byte { return b[:len(b)-4096] })},
		{"empty", "no checksum at its end", nil},
		{"live-database", "no checksum at its end", live},
		{"wrong-file", "no checksum at its end", []byte("apiVersion: v1\n")},
		{"summed-nonsense", "", summed(bytes.Repeat([]byte("nonsense"), 1024))},
		{"summed-half", "", change(func(b []byte) []byte { return summed(b[:8192]) })},
	} {
		file := filepath.Join(dir, x.name+".db")
		if err := os.WriteFile(file, x.content, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := etcd.CheckSnapshotFile(file)
		if err != nil {
			t.Fatal(err)
		}
		there := script(t, "check", file)
		if len(there) != 1 {
			t.Fatalf("%s: %v", x.name, there)
		}
		for who, problem := range map[string]string{"here": s.Problem, "there": there[0].Problem} {
			if whole := x.name == "good"; whole != (problem == "") || !strings.Contains(problem, x.problem) {
				t.Errorf("%s, %s: %q, want %q", x.name, who, problem, x.problem)
			}
		}
		if x.name == "good" && (there[0].Revision != 2 || there[0].Keys != 1 || there[0].Size != int64(good.Len()) || there[0].WithKeys ||
			time.Since(there[0].Time) > time.Hour) {
			t.Errorf("%+v", there[0])
		}
	}
	if _, err := etcd.CheckSnapshotFile(filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Error(err)
	}
	if _, err := etcd.CheckSnapshotFile(dir); err == nil {
		t.Error("a folder is a snapshot")
	}
	if s := script(t, "check", filepath.Join(dir, "none")); len(s) != 1 || !strings.Contains(s[0].Problem, "no such file") {
		t.Error(s)
	}

	if err := os.WriteFile(filepath.Join(dir, "good.db"+etcd.KeysSuffix), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	all := script(t, "list", dir, "yes")
	for _, s := range all {
		if good := strings.HasSuffix(s.Path, "/good.db"); good != (s.Problem == "") || good != s.WithKeys || !s.Checked {
			t.Errorf("%+v", s)
		}
	}
	if quick := script(t, "list", dir, "no"); len(all) != 10 || len(quick) != 10 || quick[0].Checked || quick[0].Size == 0 {
		t.Errorf("%d, %+v", len(all), quick)
	}
	if s := script(t, "list", filepath.Join(dir, "none"), "yes"); len(s) != 0 {
		t.Error(s)
	}
}

// script runs the hosts' script here.
func script(t *testing.T, args ...string) []etcd.Snapshot {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(cache, "quorate/store/sha256/*/etcdutl"))
	if err != nil || len(found) == 0 {
		t.Fatal("no etcdutl in the store: run `make artifacts`")
	}
	out, err := verb(filepath.Dir(found[0]), "/none", args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	all, err := etcd.ParseSnapshots(string(out))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// verb runs the script with programs in bin and etcd's data in data.
func verb(bin, data string, args ...string) (stdout string, err error) {
	at := layout.Systemd()
	at.Bin, at.Etcd.Data = bin, data
	cmd := exec.Command("sh", append([]string{"-s"}, args...)...)
	cmd.Stdin = strings.NewReader(etcd.SnapshotScript(at))
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = errors.New(string(exit.Stderr))
	}
	return string(out), err
}

// A save that would leave etcd no room on its disk is not begun; one that fails
// leaves nothing, and of those that stand only our own oldest make room.
func TestSaveLeavesRoom(t *testing.T) {
	dir := t.TempDir()
	bin, data, snaps := filepath.Join(dir, "bin"), filepath.Join(dir, "etcd"), filepath.Join(dir, "snapshots")
	put := func(file, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	db := filepath.Join(data, "member/snap/db")
	put(db, "")
	for i := range 12 {
		put(filepath.Join(snaps, fmt.Sprintf("20261120T0000%02dZ.db", i)), "old")
	}
	put(filepath.Join(snaps, "before-the-upgrade.db"), "a person's own")
	put(filepath.Join(snaps, "20261120T000000Z.db.part"), "of one that was killed")
	there := func() int { all, _ := filepath.Glob(filepath.Join(snaps, "*")); return len(all) }

	// Else the programs of an etcd that runs on this machine are taken.
	put(filepath.Join(bin, "etcdutl"), "#!/bin/sh\necho '{\"hash\":1,\"revision\":7}'\n")
	put(filepath.Join(bin, "etcdctl"), "#!/bin/sh\nfor f; do :; done\necho half >\"$f\"; echo more >\"$f.part\"\necho "+
		"'{\"level\":\"info\"}' >&2; echo 'Error: cut off' >&2; exit 1\n")
	if _, err := verb(bin, data, "save", snaps, "10"); err == nil || strings.TrimSpace(err.Error()) != "cut off" {
		t.Errorf("a save that fails: %v", err)
	}
	if n := there(); n != 13 {
		t.Errorf("%d files after a save that failed, want 13", n)
	}

	if err := os.Truncate(db, 1<<43); err != nil { // a hole, which no disk has room for
		t.Fatal(err)
	}
	if _, err := verb(bin, data, "save", snaps, "10"); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("a save that does not fit: %v", err)
	}
	if err := os.Truncate(db, 0); err != nil {
		t.Fatal(err)
	}

	page := strings.Repeat("x", 512)
	sum := sha256.Sum256([]byte(page))
	put(filepath.Join(dir, "whole"), page+string(sum[:]))
	put(filepath.Join(bin, "etcdctl"), "#!/bin/sh\nfor f; do :; done\ncp '"+dir+"/whole' \"$f\"\n")
	for range 2 { // within one second, too
		out, err := verb(bin, data, "save", snaps, "10")
		if err != nil {
			t.Fatal(err)
		}
		if s, err := etcd.ParseSnapshots(out); err != nil || len(s) != 1 || s[0].Revision != 7 || s[0].Size != 544 {
			t.Errorf("%+v, %v", s, err)
		}
	}
	if own, err := os.ReadFile(filepath.Join(snaps, "before-the-upgrade.db")); err != nil || string(own) != "a person's own" || there() != 11 {
		t.Errorf("%d files, %q, %v", there(), own, err)
	}
}

// Half an answer is none.
func TestParseSnapshots(t *testing.T) {
	const one = "4128 1000 no ok /x/a b.db\n" + `{"hash":7,"revision":3,"totalKey":2}` + "\n"
	if s, err := etcd.ParseSnapshots(one); err != nil || len(s) != 1 || s[0].Path != "/x/a b.db" || s[0].Revision != 3 {
		t.Errorf("%v, %v", s, err)
	}
	for _, out := range []string{"4128 1000 no ok /x\n", "x 1000 no ok /x\n{}\n", "1 1 no ok /x\nnot json\n", "1 1 no ok\n{}\n"} {
		if s, err := etcd.ParseSnapshots(out); err == nil {
			t.Errorf("%q is read as %v", out, s)
		}
	}
}
