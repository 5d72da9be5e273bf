package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// licensesFile has the licence texts of everything that the programs contain:
// most of them must go along with binaries.
const licensesFile = "third-party-licenses.txt"

// dependency is a Go module, or Go's standard library, that programs contain.
type dependency struct {
	path, version string
	license       string   // SPDX expression of all that its texts name, or NOASSERTION
	texts         []string // files: licence and notice
	users         []string // files of the release
}

// dependencies are read from the programs themselves, sorted by path.
func (b *build) dependencies() error {
	found := map[string]*dependency{}
	use := func(path, version, user string) {
		if found[path] == nil {
			found[path] = &dependency{path: path, version: version}
		}
		found[path].users = append(found[path].users, user)
	}
	for _, p := range programs {
		info, err := buildinfo.ReadFile(filepath.Join(b.dist, p.file()))
		if err != nil {
			return err
		}
		use("std", strings.TrimPrefix(info.GoVersion, "go"), p.file())
		for _, m := range info.Deps {
			if m.Replace != nil {
				return fmt.Errorf("%s: %s is replaced; the list of dependencies does not know that", p.file(), m.Path)
			}
			use(m.Path, m.Version, p.file())
		}
	}
	dirs, err := b.folders()
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(found)) {
		d := *found[path]
		if err := d.readLicense(dirs[path]); err != nil {
			return err
		}
		b.modules = append(b.modules, d)
	}
	return nil
}

// folders are where the sources of the product's modules lie, by path.
func (b *build) folders() (map[string]string, error) {
	cmd := exec.Command("go", "list", "-m", "-json=Path,Dir", "all")
	cmd.Dir, cmd.Env = b.dir, settings()
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list -m all: %w", err)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	dirs := map[string]string{"std": strings.TrimSpace(string(root))}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Dir string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return dirs, nil
		} else if err != nil {
			return nil, err
		}
		dirs[m.Path] = m.Dir
	}
}

// readLicense reads the texts in the module's folder, and what licence they are
// by Google's licensecheck.
func (d *dependency) readLicense(dir string) error {
	d.license = "NOASSERTION"
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("the sources of %s: %w", d.path, err)
	}
	ids := map[string]bool{}
	for _, f := range files {
		name := strings.ToUpper(f.Name())
		isLicense := strings.HasPrefix(name, "LICEN") || strings.HasPrefix(name, "COPYING")
		if f.IsDir() || !isLicense && !strings.HasPrefix(name, "NOTICE") {
			continue
		}
		path := filepath.Join(dir, f.Name())
		d.texts = append(d.texts, path)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if found := licensecheck.Scan(text); isLicense && found.Percent > 75 {
			for _, m := range found.Match {
				ids[m.ID] = true
			}
		}
	}
	if len(d.texts) == 0 {
		return fmt.Errorf("%s has no licence text in %s", d.path, dir)
	}
	if len(ids) > 0 {
		d.license = strings.Join(slices.Sorted(maps.Keys(ids)), " AND ")
	}
	return nil
}

// licenses writes the texts into one file.
func (b *build) licenses() error {
	var out bytes.Buffer
	out.WriteString("quorate and quorate-lb contain the Go modules below, under these licences.\n")
	for _, d := range b.modules {
		fmt.Fprintf(&out, "\n%s\n%s %s (%s)\n", strings.Repeat("=", 80), d.path, d.version, d.license)
		for _, path := range d.texts {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&out, "\n--- %s\n\n%s\n", filepath.Base(path), bytes.TrimSpace(text))
		}
	}
	return put(filepath.Join(b.dist, licensesFile), out.Bytes())
}
