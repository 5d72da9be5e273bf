package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// build is a release in the making.
type build struct {
	source
	dist    string // what is released
	share   string // man pages and completions, as below /usr/share
	modules []dependency
}

// program is one program for one platform.
type program struct{ name, os, arch string }

// file is its name in a release.
func (p program) file() string { return p.name + "-" + p.os + "-" + p.arch }

// programs are all that a release has. quorate-lb runs on Linux only.
var programs = []program{
	{"quorate", "linux", "amd64"}, {"quorate-lb", "linux", "amd64"},
	{"quorate", "linux", "arm64"}, {"quorate-lb", "linux", "arm64"},
	{"quorate", "darwin", "arm64"},
}

// settings are Go's defaults, said once more, so that neither the environment nor
// `go env -w` of whoever builds changes the bytes.
func settings(more ...string) []string {
	return slices.Concat(os.Environ(), []string{"CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOAMD64=v1", "GOARM64=v8.0",
		"GOFIPS140=off", "GOEXPERIMENT=", "GOWORK=off"}, more)
}

// binaries builds them, static, without the folder's path and git's state in them.
func (b *build) binaries() error {
	const stamp = "quorate.dev/quorate/internal/version."
	flags := fmt.Sprintf("-s -w -X %sVersion=%s -X %sCommit=%s -X %sDate=%s", stamp, b.version, stamp, b.commit, stamp,
		b.date())
	for _, p := range programs {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags,
			"-o", filepath.Join(b.dist, p.file()), "./cmd/"+p.name)
		cmd.Dir, cmd.Env = b.dir, settings("GOOS="+p.os, "GOARCH="+p.arch)
		fmt.Println("build", p.file())
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", p.file(), err, out)
		}
	}
	return nil
}

// placed is a file of the release and where it is installed.
type placed struct {
	from, to string
	mode     fs.FileMode
}

// installed are the programs of a package or image. One for another architecture
// has the quorate-lb for cluster hosts too, which are amd64.
func (b *build) installed(arch string) (all []placed) {
	for _, name := range []string{"quorate", "quorate-lb"} {
		all = append(all, placed{filepath.Join(b.dist, program{name, "linux", arch}.file()), "/usr/bin/" + name, 0o755})
	}
	if forHosts := (program{"quorate-lb", "linux", "amd64"}); arch != forHosts.arch {
		all = append(all, placed{filepath.Join(b.dist, forHosts.file()), "/usr/lib/quorate/" + forHosts.file(), 0o755})
	}
	return all
}

// legal is what goes along with the programs wherever they are installed.
func (b *build) legal() []placed {
	const doc = "/usr/share/doc/quorate/"
	return []placed{{filepath.Join(b.dir, "LICENSE"), doc + "copyright", 0o644},
		{filepath.Join(b.dist, licensesFile), doc + licensesFile, 0o644},
		{filepath.Join(b.dist, sbomFile), doc + sbomFile, 0o644}}
}
