package artifact

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// compile builds targets of equal tags in one go: first all modules are
// brought, then the packages counted, then compiled.
func compile(ctx context.Context, g golang, targets []target, tags, link, out string, fetching func(string), tell telling) error {
	var pkgs []string
	for _, t := range targets {
		pkgs = append(pkgs, t.pkg)
	}
	deps, err := g.run(ctx, fetching, append([]string{"list", "-deps", tags}, pkgs...)...)
	if err != nil {
		return err
	}
	total, n := strings.Count(string(deps), "\n"), 0
	pkg := regexp.MustCompile(`^[\w.~/-]+$`)
	building := func(line string) {
		if pkg.MatchString(line) {
			n++
			tell("build", line, n, total)
		}
	}
	tell("build", "", 0, total)
	bin := filepath.Join(out, "bin")
	args := append([]string{"build", "-v", "-trimpath", "-buildvcs=false", tags, "-ldflags=" + link, "-o", bin + "/"}, pkgs...)
	if _, err := g.run(ctx, building, args...); err != nil {
		return err
	}
	for _, t := range targets {
		if err := os.Rename(filepath.Join(bin, execName(t)), filepath.Join(out, t.name)); err != nil {
			return fmt.Errorf("take %s from the build: %w", t.name, err)
		}
	}
	return nil
}

// execName is what go build calls a program: its last path element that is
// not a major version.
func execName(t target) string {
	if t.pkg == "." {
		return t.name // our own module is named like its program
	}
	base := path.Base(t.pkg)
	if regexp.MustCompile(`^v\d+$`).MatchString(base) {
		base = path.Base(path.Dir(t.pkg))
	}
	return base
}

// byTags groups targets that can be compiled together.
func byTags(targets []target) [][]target {
	var out [][]target
next:
	for _, t := range targets {
		for i := range out {
			if out[i][0].tags == t.tags {
				out[i] = append(out[i], t)
				continue next
			}
		}
		out = append(out, []target{t})
	}
	return out
}

// writeModule writes go.mod, and main.go of our own programs.
func writeModule(dir string, r recipe, version string, mods []module) error {
	upstream, err := readGoMods(mods)
	if err != nil {
		return err
	}
	data, err := goMod(r, version, upstream)
	if err != nil {
		return fmt.Errorf("generate go.mod: %w", err)
	}
	if err := writeAtomic(filepath.Join(dir, "go.mod"), data); err != nil {
		return err
	}
	if r.source == "" {
		return nil
	}
	return writeAtomic(filepath.Join(dir, "main.go"), []byte(r.source))
}
