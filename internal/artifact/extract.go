package artifact

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// extract unpacks the named programs of a tar.gz into dir, wherever in the
// archive they lie, and returns those it found. Names are compared by their
// last element and written by ours, so that no archive can write elsewhere.
func extract(archive string, names []string, dir string) ([]string, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("not a gzip file: %w", err)
	}
	defer z.Close()
	var found []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		name := path.Base(h.Name)
		if h.Typeflag != tar.TypeReg || !slices.Contains(names, name) || slices.Contains(found, name) {
			continue
		}
		if err := writeFrom(filepath.Join(dir, name), r); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", name, err)
		}
		found = append(found, name)
	}
}

// writeFrom writes a new file.
func writeFrom(path string, r io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
