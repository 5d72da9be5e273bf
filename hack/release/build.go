package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// binaries builds them, static. Nothing of the environment reaches them: not the
// folder (-trimpath), not the user's Go settings.
func (b *build) binaries() error {
	const stamp = "quorate.dev/quorate/internal/version."
	flags := fmt.Sprintf("-s -w -X %sVersion=%s -X %sCommit=%s -X %sDate=%s", stamp, b.version, stamp, b.commit, stamp,
		b.date())
	for _, p := range programs {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", flags,
			"-o", filepath.Join(b.dist, p.file()), "./cmd/"+p.name)
		cmd.Dir = b.dir
		cmd.Env = append(clean(os.Environ()), "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch, "GOWORK=off")
		fmt.Println("build", p.file())
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", p.file(), err, out)
		}
	}
	return nil
}

// placed is a file of the release and where it is installed.
type placed struct{ from, to string }

// installed are the programs of a package or image. One for another architecture
// has the quorate-lb for cluster hosts too, which are amd64.
func (b *build) installed(arch string) (all []placed) {
	for _, name := range []string{"quorate", "quorate-lb"} {
		all = append(all, placed{filepath.Join(b.dist, program{name, "linux", arch}.file()), "/usr/bin/" + name})
	}
	if forHosts := (program{"quorate-lb", "linux", "amd64"}); arch != forHosts.arch {
		all = append(all, placed{filepath.Join(b.dist, forHosts.file()), "/usr/lib/quorate/" + forHosts.file()})
	}
	return all
}

// clean is the environment without what changes the bytes that Go makes.
func clean(env []string) (out []string) {
	for _, v := range env {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "GOFLAGS", "GOEXPERIMENT", "GOAMD64", "GOARM64", "GOFIPS140", "GODEBUG":
		default:
			out = append(out, v)
		}
	}
	return out
}
