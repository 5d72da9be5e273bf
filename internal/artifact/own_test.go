package artifact

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A test runs in the source tree, so the program is built from it.
func TestOwnIsBuilt(t *testing.T) {
	s, err := OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	before, tree, err := OwnName(s, Balancer)
	if err != nil || before.Name != Balancer || before.SHA256 != "" || tree == "" {
		t.Errorf("before it is built: %+v from %q, %v", before, tree, err)
	}
	if made, err := s.List(); err != nil || len(made) > 0 {
		t.Errorf("naming it has made %+v, %v", made, err)
	}
	var said []string
	f, err := Own(t.Context(), s, Balancer, func(e Event) { said = append(said, e.What) })
	if err != nil {
		t.Fatal(err)
	}
	if !intact(f) || f.Mode != 0o755 || strings.Join(said, " ") != "build" {
		t.Errorf("%+v, said %q", f, said)
	}
	if err := runsOnHosts(f.Path); err != nil {
		t.Error(err)
	}
	if after, _, err := OwnName(s, Balancer); err != nil || after.SHA256 != f.SHA256 {
		t.Errorf("once it is built: %+v, %v; want %s", after, err, f.SHA256)
	}
	listed, err := s.List()
	if err != nil || len(listed) != 1 || listed[0].Name != Balancer || !listed[0].Present {
		t.Errorf("%+v, %v", listed, err)
	}
	if left, _ := filepath.Glob(s.root + "/tmp/*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A program that no host could run is refused before it is sent to one.
func TestOwnIsForHosts(t *testing.T) {
	at := filepath.Join(t.TempDir(), "quorate-lb")
	if err := os.WriteFile(at, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := runsOnHosts(at); err == nil {
		t.Error("a script is taken for it")
	}
	if err := runsOnHosts("/bin/sh"); err == nil || !strings.Contains(err.Error(), "libraries") {
		t.Errorf("a program that needs libraries: %v", err)
	}
}

// quorate on another architecture or system finds the program for hosts.
func TestInstalled(t *testing.T) {
	root := t.TempDir()
	bin := filepath.Join(root, "bin")
	for _, where := range []string{"bin/quorate-lb", "lib/quorate/quorate-lb-linux-amd64", "bin/quorate-lb-linux-amd64"} {
		at := filepath.Join(root, where)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, nil, 0o755)); err != nil {
			t.Fatal(err)
		}
		if got := installed(bin, "quorate-lb"); got != at {
			t.Errorf("%s, want %s", got, at)
		}
	}
}

func TestSourceTree(t *testing.T) {
	t.Chdir(t.TempDir())
	if at := sourceTree(t.TempDir()); at != "" {
		t.Errorf("found at %s", at)
	}
}
