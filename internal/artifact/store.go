package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"quorate.dev/quorate/internal/host"
)

// Store is a folder of files named by their content:
//
//	store/sha256/<hex>/<name>  the files; this layout is what lab hosts mount
//	index/<key>.json           which files a build or download gave
//	lock/, tmp/, build/        work in progress
//
// A file appears under store/ by one rename, complete and synced; an index
// entry appears after its files. A killed process leaves only things in tmp/
// and build/, which the next one of the same component clears.
//
// A file counts as there only when its content has the digest that its name
// says: verified.json remembers which were read. Others are kept in damaged/.
type Store struct {
	root     string
	verified *verified
}

// OpenStore opens, and makes when needed, the store in root; "" means quorate's
// folder in the user's cache directory.
func OpenStore(root string) (*Store, error) {
	if root == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find the cache directory: %w; set XDG_CACHE_HOME or HOME", err)
		}
		root = filepath.Join(cache, "quorate")
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{root: root, verified: openVerified(root)}
	for _, d := range []string{"store/sha256", "index", "lock", "tmp", "build", "download"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
	}
	return s, nil
}

// Dir is the folder that hosts of the lab mount: it holds sha256/<hex>/<name>.
func (s *Store) Dir() string { return filepath.Join(s.root, "store") }

// path is where a file of this name and content lies.
func (s *Store) path(name, sum string) string {
	return filepath.Join(s.Dir(), "sha256", sum, name)
}

// modeOf is 0755 for programs and 0644 for everything with an ending.
func modeOf(name string) os.FileMode {
	if strings.HasSuffix(name, ".tar") {
		return 0o644
	}
	return 0o755
}

// add moves the file at from, which must lie in one of the store's own work
// folders, into the store under name.
func (s *Store) add(name, from string) (File, error) {
	sum, size, err := digest(from)
	if err != nil {
		return File{}, fmt.Errorf("add %s to the store: %w", name, err)
	}
	f := File{Name: name, Blob: host.Blob{Path: s.path(name, sum), SHA256: sum, Size: size, Mode: uint32(modeOf(name))}}
	if s.present(f) && intact(f) {
		return f, os.Remove(from)
	}
	if err := os.Chmod(from, modeOf(name)); err != nil {
		return File{}, fmt.Errorf("add %s to the store: %w", name, err)
	}
	if err := syncFile(from); err != nil {
		return File{}, fmt.Errorf("add %s to the store: %w", name, err)
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return File{}, fmt.Errorf("add %s to the store: %w", name, err)
	}
	if err := os.Rename(from, f.Path); err != nil {
		return File{}, fmt.Errorf("add %s to the store: %w", name, err)
	}
	return f, nil
}

// present says cheaply whether f lies in the store: a regular file of its size.
func (s *Store) present(f File) bool {
	st, err := os.Stat(f.Path)
	return err == nil && st.Mode().IsRegular() && st.Size() == f.Size
}

// intact reads the whole file and compares its digest.
func intact(f File) bool {
	sum, _, err := digest(f.Path)
	return err == nil && sum == f.SHA256
}

// digest reads a file and returns its SHA-256 in hex and its size.
func digest(path string) (string, int64, error) {
	r, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err != nil {
		return "", 0, fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), n, nil
}

// syncFile brings a file's bytes to the disk before it gets its final name.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
