//go:build lab && long

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRelease builds the committed state twice, in two folders and with other
// settings, and installs the deb on a host.
func TestRelease(t *testing.T) {
	first, second := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "another", "b")
	release(t, "../..", first, "umask 022; exec make release")
	release(t, first, second, "umask 077; TZ=Asia/Tokyo exec make release")
	sums := file(t, filepath.Join(first, "dist", "SHA256SUMS"))
	if again := file(t, filepath.Join(second, "dist", "SHA256SUMS")); again != sums {
		t.Fatalf("two builds of one commit differ:\n%s\n%s", sums, again)
	}
	sh(t, filepath.Join(first, "dist"), "sha256sum --check --strict --quiet SHA256SUMS && test $(ls | wc -l) = $(($(wc -l <SHA256SUMS) + 1))")

	sh(t, t.TempDir(), `tar xf "$0/quorate-image.tar" && cd blobs/sha256
		for f in *; do echo "$f  $f"; done | sha256sum --check --quiet
		for f in $(find . -size +1M); do tar tzvf $f | grep 'rwxr-xr-x 0/0 .* usr/bin/quorate$' >/dev/null; done`, filepath.Join(first, "dist"))

	if err := os.WriteFile(filepath.Join(first, "stray.go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := shell(first, "make release"); err == nil || !strings.Contains(out, "dirty") || !strings.Contains(out, "stray.go") {
		t.Errorf("a release of a dirty tree: %v\n%s", err, out)
	}

	debs, err := filepath.Glob(filepath.Join(first, "dist", "*_amd64.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("%v, %v", debs, err)
	}
	commit := sh(t, first, "git rev-parse --short=12 HEAD")
	c := newCluster(t, "release", 1, 0)
	if out, err := c.feed(t.Context(), "cp1", file(t, debs[0]), "cat >/tmp/quorate.deb && dpkg -i /tmp/quorate.deb"); err != nil {
		t.Fatal(out, err)
	}
	for _, command := range []string{"quorate version", "quorate --version", "quorate-lb -version"} {
		got := c.on(t, "cp1", command)
		t.Log(got)
		if !strings.Contains(got, " v0.") && !strings.Contains(got, " v1.") || !strings.Contains(got, "(commit "+commit+", ") {
			t.Errorf("%s: %s; the commit is %s", command, got, commit)
		}
	}
	c.on(t, "cp1", `set -e
		zcat /usr/share/man/man1/quorate-apply.1.gz | grep -q 'TH "QUORATE-APPLY" "1"'
		bash -n /usr/share/bash-completion/completions/quorate
		grep -q 'Apache License' /usr/share/doc/quorate/copyright
		dpkg --verify quorate
		dpkg -r quorate
		test ! -e /usr/bin/quorate && test ! -e /usr/share/doc/quorate`)
}

// release clones a repository, so that only what is committed is built, and
// makes a release there.
func release(t *testing.T, from, dir, script string) {
	t.Helper()
	sh(t, from, "git clone -q . "+dir)
	t.Log(sh(t, dir, script))
}

// sh runs a script that must work; $0 and the following are args.
func sh(t *testing.T, dir, script string, args ...string) string {
	t.Helper()
	out, err := shell(dir, script, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return strings.TrimSpace(out)
}

func shell(dir, script string, args ...string) (string, error) {
	cmd := exec.Command("bash", append([]string{"-euo", "pipefail", "-c", script}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func file(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
