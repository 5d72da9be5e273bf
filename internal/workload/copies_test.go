package workload

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// copies makes what is missing or differs in content or mode, leaves what is
// true, and never writes through a link.
func TestCopies(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if group, err := user.LookupGroupId(me.Gid); err != nil || group.Name != me.Username {
		t.Skipf("the group of %s has another name", me.Username)
	}
	const mode = 0o400
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func() (string, error) {
		cmd := exec.Command("sh", "-s", me.Username, me.Username+":"+me.Username, "400", at("from"), at("pki/etcd/to"))
		cmd.Stdin = strings.NewReader("set -eu\n" + copiesText + `copies "$@"`)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	check := func(want string) os.FileInfo {
		t.Helper()
		if out, err := run(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		text, err := os.ReadFile(at("pki/etcd/to"))
		info, errStat := os.Lstat(at("pki/etcd/to"))
		if err != nil || errStat != nil || string(text) != want || info.Mode() != mode {
			t.Fatalf("%q, %v, %v %v; want %q, mode %o", text, info, err, errStat, want, mode)
		}
		return info
	}
	put("from", "one")
	first := check("one")
	if again := check("one"); !os.SameFile(first, again) {
		t.Error("a copy that was true was replaced")
	}
	if err := os.Chmod(at("pki/etcd/to"), 0o640); err != nil {
		t.Fatal(err)
	}
	check("one")
	put("from", "two")
	check("two")
	put("victim", "mine")
	if err := os.Remove(at("pki/etcd/to")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("victim"), at("pki/etcd/to")); err != nil {
		t.Fatal(err)
	}
	check("two")
	if text, err := os.ReadFile(at("victim")); err != nil || string(text) != "mine" {
		t.Errorf("written through a link: %q, %v", text, err)
	}
	if err := os.Remove(at("from")); err != nil {
		t.Fatal(err)
	}
	if out, err := run(); err == nil {
		t.Errorf("a file that is missing was copied: %s", out)
	}
	t.Setenv("LATER", "yes")
	if out, err := run(); err != nil {
		t.Errorf("a file that comes later: %v: %s", err, out)
	}
	if text, err := os.ReadFile(at("pki/etcd/to")); err != nil || string(text) != "two" {
		t.Errorf("its copy is %q, %v", text, err)
	}
}

// A copy is true by its content, its owner and its mode.
func TestSeenCopy(t *testing.T) {
	s := Service{Name: "etcd", Unit: "[Service]\n", User: "etcd", Copies: []Copy{{From: "/root/key", To: "/own/key"}}}
	c, good := s.Copies[0], Mode{Bits: 0o400, Owner: "etcd:etcd"}
	same := map[string]string{"/root/key": "a", "/own/key": "a"}
	if got := s.Seen(c, same, map[string]Mode{"/own/key": good}); got != c.true() {
		t.Errorf("a true copy is %q", got)
	}
	for name, got := range map[string]string{
		"another content": s.Seen(c, map[string]string{"/root/key": "b", "/own/key": "a"}, map[string]Mode{"/own/key": good}),
		"another owner":   s.Seen(c, same, map[string]Mode{"/own/key": {Bits: 0o400, Owner: "root:root"}}),
		"open to others":  s.Seen(c, same, map[string]Mode{"/own/key": {Bits: 0o444, Owner: "etcd:etcd"}}),
		"missing":         s.Seen(c, map[string]string{"/root/key": "a"}, nil),
		"both missing":    s.Seen(c, nil, nil),
	} {
		if got == c.true() {
			t.Errorf("%s counts as a true copy", name)
		}
	}
	reloads := s
	reloads.Reload = true
	if is, not := reloads.Seen(c, same, map[string]Mode{"/own/key": {Bits: 0o440, Owner: "etcd:root"}}),
		reloads.Seen(c, same, map[string]Mode{"/own/key": good}); is != c.true() || not == c.true() {
		t.Errorf("of a service that may still run as root: %q by its group, %q without", is, not)
	}
	without := s
	without.Copies = nil
	if s.Disk() == without.Disk() {
		t.Error("copies are no part of what must lie on the disk")
	}
	if s.Stamp() != without.Stamp() {
		t.Error("copies would restart the service")
	}
}
