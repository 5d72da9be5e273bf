package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Listed is one file the index knows, and where it came from.
type Listed struct {
	Key
	File
	Record Record
	// Present is false when the file is gone or of another size; the next
	// Fetch makes it again.
	Present bool
}

// List tells what the index knows, sorted by component, version and name.
func (s *Store) List() ([]Listed, error) {
	paths, err := filepath.Glob(filepath.Join(s.root, "index", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list index: %w", err)
	}
	var out []Listed
	for _, p := range paths {
		e, err := s.readEntry(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for name, r := range e.Files {
			f := s.file(name, r)
			out = append(out, Listed{Key: e.Key, File: f, Record: r, Present: s.present(f)})
		}
	}
	slices.SortFunc(out, func(a, b Listed) int {
		return strings.Compare(
			strings.Join([]string{a.Component, a.Version, a.Arch, a.Name, a.SHA256}, "\x00"),
			strings.Join([]string{b.Component, b.Version, b.Arch, b.Name, b.SHA256}, "\x00"))
	})
	return out, nil
}

// Damage is a stored file that is not what its name says.
type Damage struct {
	Path string
	Why  string
}

// Verify reads every file in the store and compares it with its name. It
// returns how many it read and those that are damaged; removing a damaged file
// lets the next Fetch make it again.
func (s *Store) Verify(ctx context.Context) (checked int, bad []Damage, err error) {
	base := filepath.Join(s.Dir(), "sha256")
	err = filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.IsDir() {
			return nil
		}
		checked++
		want := filepath.Base(filepath.Dir(path))
		switch sum, _, err := digest(path); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			bad = append(bad, Damage{path, err.Error()})
		case sum != want:
			bad = append(bad, Damage{path, fmt.Sprintf("its content has SHA-256 %s", sum)})
		default:
			if st, err := os.Stat(path); err == nil && st.Mode().Perm() != modeOf(d.Name()) {
				bad = append(bad, Damage{path, fmt.Sprintf("its mode is %o, not %o", st.Mode().Perm(), modeOf(d.Name()))})
			}
		}
		return nil
	})
	if err != nil {
		return checked, bad, fmt.Errorf("verify the store: %w", err)
	}
	return checked, bad, nil
}
