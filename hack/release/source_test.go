package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repository is an empty git repository, and a function that runs git in it.
func repository(t *testing.T) (string, func(args ...string)) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("GIT_COMMITTER_DATE", "2026-11-22T03:04:05+02:00")
	git := func(args ...string) {
		t.Helper()
		args = append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@localhost"}, args...)
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("commit", "-q", "--allow-empty", "-m", "first")
	return dir, git
}

func TestVersionIsTheTags(t *testing.T) {
	dir, git := repository(t)
	at := func(prefix, suffix string) {
		t.Helper()
		s, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(s.version, prefix) || suffix == "" && s.version != prefix {
			t.Errorf("version %s, want %s…", s.version, prefix)
		}
		if suffix != "" && !strings.HasSuffix(s.version, s.commit[:12]) {
			t.Errorf("version %s does not end with commit %s", s.version, s.commit)
		}
		if s.date() != "2026-11-22T01:04:05Z" {
			t.Error(s.date())
		}
	}
	at("v0.0.0-20261122010405-", "commit")
	git("tag", "v1.2.3-rc.1")
	git("tag", "v1.2.3")
	git("tag", "latest")
	at("v1.2.3", "")
	git("commit", "-q", "--allow-empty", "-m", "second")
	at("v1.2.4-0.20261122010405-", "commit")
}

func TestDirtyTreeIsRefused(t *testing.T) {
	dir, git := repository(t)
	path := filepath.Join(dir, "new.go")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := open(dir); err == nil || !strings.Contains(err.Error(), "dirty") || !strings.Contains(err.Error(), "new.go") {
		t.Errorf("an untracked file: %v", err)
	}
	git("add", "new.go")
	git("commit", "-q", "-m", "new")
	if _, err := open(dir); err != nil {
		t.Error(err)
	}
}
