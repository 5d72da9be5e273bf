package artifact

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// oldestGo is the first Go version that knows tool lines.
const oldestGo = "1.24.0"

// goMod writes the go.mod by which a recipe's programs are built outside of
// their own repository. upstream are the contents of the modules' own go.mod
// files, whose settings count only where they are the main module: their Go
// version and GODEBUG settings, and Kubernetes' staging modules, which it
// replaces by folders that a module does not contain.
func goMod(r recipe, version string, upstream map[string][]byte) ([]byte, error) {
	f := &modfile.File{}
	name := r.component
	if r.source != "" {
		name = r.targets[0].name // go build names the program after the module
	}
	if err := f.AddModuleStmt("quorate.local/" + name); err != nil {
		return nil, err
	}
	goVersion, staging, err := inherit(f, r.modules, upstream)
	if err != nil {
		return nil, err
	}
	if semver.Compare("v"+goVersion, "v"+oldestGo) < 0 {
		if len(r.modules) > 0 && len(f.Godebug) == 0 {
			if err := f.AddGodebug("default", "go"+strings.TrimPrefix(semver.MajorMinor("v"+goVersion), "v")); err != nil {
				return nil, err
			}
		}
		goVersion = oldestGo
	}
	if err := f.AddGoStmt(goVersion); err != nil {
		return nil, err
	}
	for _, m := range r.modules {
		if err := f.AddRequire(m, "v"+version); err != nil {
			return nil, err
		}
	}
	if len(r.modules) > 0 {
		for _, t := range r.targets {
			if err := f.AddTool(t.pkg); err != nil {
				return nil, err
			}
		}
	}
	_, minor, _ := strings.Cut(version, ".")
	for _, s := range staging {
		if err := f.AddReplace(s, "", s, "v0."+minor); err != nil {
			return nil, err
		}
	}
	f.Cleanup()
	return f.Format()
}

// inherit takes over what the modules' own go.mod files say: their newest Go
// version, which is returned, their GODEBUG settings and replacements, and the
// staging modules, which are returned.
func inherit(f *modfile.File, modules []string, upstream map[string][]byte) (goVersion string, staging []string, err error) {
	goVersion = "1.0"
	for _, m := range modules {
		up, err := modfile.Parse(m+"/go.mod", upstream[m], nil)
		if err != nil {
			return "", nil, fmt.Errorf("read go.mod of %s: %w", m, err)
		}
		if up.Go != nil && semver.Compare("v"+up.Go.Version, "v"+goVersion) > 0 {
			goVersion = up.Go.Version
		}
		for _, rep := range up.Replace {
			switch {
			case strings.HasPrefix(rep.New.Path, "./staging/"):
				staging = append(staging, rep.Old.Path)
			case rep.New.Version != "":
				if err := f.AddReplace(rep.Old.Path, rep.Old.Version, rep.New.Path, rep.New.Version); err != nil {
					return "", nil, err
				}
			}
		}
		for _, g := range up.Godebug {
			if err := f.AddGodebug(g.Key, g.Value); err != nil {
				return "", nil, err
			}
		}
	}
	return goVersion, staging, nil
}

// readGoMods reads the go.mod files of downloaded modules.
func readGoMods(mods []module) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, m := range mods {
		data, err := os.ReadFile(m.GoMod)
		if err != nil {
			return nil, fmt.Errorf("read go.mod of %s: %w", m.Path, err)
		}
		out[m.Path] = data
	}
	return out, nil
}
