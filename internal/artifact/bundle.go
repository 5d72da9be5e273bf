package artifact

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// BundleName is the name of the bundle for one Kubernetes version and processor.
func BundleName(v Versions, arch string) string {
	return fmt.Sprintf("quorate-%s-%s.bundle.tar", v.Kubernetes, arch)
}

// Export writes a bundle of files that the store holds: a tar of them and of the
// index entries that name them, by the paths they have in the store. The same
// files give the same bytes.
func (s *Store) Export(w io.Writer, files []File) error {
	sums := map[string]bool{}
	for _, f := range files {
		sums[f.Name+f.SHA256] = true
	}
	paths, err := filepath.Glob(filepath.Join(s.root, "index", "*.json"))
	if err != nil {
		return fmt.Errorf("list index: %w", err)
	}
	out := tar.NewWriter(w)
	put := func(name string, size int64, r io.Reader) error {
		if err := out.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err := io.Copy(out, r)
		return err
	}
	written := map[string]bool{}
	for _, p := range paths {
		e, err := s.readEntry(p)
		if err != nil {
			continue
		}
		for name, r := range e.Files {
			if !sums[name+r.SHA256] {
				delete(e.Files, name)
			}
		}
		if len(e.Files) == 0 {
			continue
		}
		text, err := json.Marshal(e)
		if err == nil {
			err = put(path.Join("index", filepath.Base(p)), int64(len(text)), strings.NewReader(string(text)))
		}
		if err != nil {
			return fmt.Errorf("write the bundle: %w", err)
		}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.SHA256+a.Name, b.SHA256+b.Name) })
	for _, f := range files {
		name := path.Join("store", "sha256", f.SHA256, f.Name)
		if written[name] {
			continue
		}
		written[name] = true
		r, err := os.Open(f.Path)
		if err == nil {
			err = errors.Join(put(name, f.Size, r), r.Close())
		}
		if err != nil {
			return fmt.Errorf("write the bundle: %s: %w", f.Name, err)
		}
	}
	return out.Close()
}

var (
	bundledFile  = regexp.MustCompile(`^store/sha256/([0-9a-f]{64})/([A-Za-z0-9._-]+)$`)
	bundledIndex = regexp.MustCompile(`^index/[A-Za-z0-9._-]+\.json$`)
)

// Import brings a bundle into the store; found is false when there is none. A
// file whose content is not what its name says ends it, with nothing of it taken.
func (s *Store) Import(ctx context.Context, at string, tell telling) (found bool, err error) {
	r, err := os.Open(at)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open the bundle: %w", err)
	}
	defer r.Close()
	w, err := s.begin(ctx, "bundle", func() { tell("wait", "another quorate is unpacking it", 0, 0) })
	if err != nil {
		return false, err
	}
	defer w.end()
	var entries []Entry
	in := tar.NewReader(r)
	for n := 1; ; n++ {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return false, fmt.Errorf("read the bundle %s: %w", at, err)
		}
		tell("unpack", path.Base(h.Name), n, 0)
		file := bundledFile.FindStringSubmatch(h.Name)
		switch {
		case bundledIndex.MatchString(h.Name) && h.Size < 1<<20:
			var e Entry
			if err := json.NewDecoder(in).Decode(&e); err != nil {
				return false, fmt.Errorf("read the bundle %s: %s: %w", at, h.Name, err)
			}
			entries = append(entries, e)
		case file != nil:
			if err := s.unpack(in, w.dir, file[2], file[1]); err != nil {
				return false, fmt.Errorf("read the bundle %s: %w", at, err)
			}
		default:
			return false, fmt.Errorf("read the bundle %s: it holds %q, which does not belong in a bundle", at, h.Name)
		}
	}
	for _, e := range entries {
		if err := s.merge(e); err != nil {
			return false, err
		}
	}
	tell("done", at, 1, 1)
	return true, nil
}

// unpack adds one file of a bundle to the store, if it is what its digest says.
func (s *Store) unpack(in io.Reader, dir, name, sum string) error {
	tmp := filepath.Join(dir, name)
	out, err := os.Create(tmp)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if got, _, err := digest(tmp); err != nil || got != sum {
		return errors.Join(fmt.Errorf("%s is damaged: its SHA-256 is %s, not %s; copy the bundle again", name, got, sum), err)
	}
	_, err = s.add(name, tmp)
	return err
}

// merge adds an entry's files to those that the index has under its key.
func (s *Store) merge(e Entry) error {
	at := s.entryPath(e.Key)
	old, err := s.readEntry(at)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for name, r := range old.Files {
		if _, there := e.Files[name]; !there {
			e.Files[name] = r
		}
	}
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("write index of %s: %w", e.Component, err)
	}
	return writeAtomic(at, append(data, '\n'))
}
