package artifact

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// verified remembers of which files of the store the whole content was read and
// found right, so that looking stays fast. A file whose inode, size or times
// have changed since is read anew: its ctime cannot be set back.
type verified struct {
	mu      sync.Mutex
	path    string
	seen    map[string]identity // by path below the store
	changed bool
}

// identity is what changes when a file does.
type identity struct {
	Inode uint64 `json:"inode"`
	Size  int64  `json:"size"`
	MTime int64  `json:"mtime"` // nanoseconds
	CTime int64  `json:"ctime,omitempty"`
}

func openVerified(root string) *verified {
	v := &verified{path: filepath.Join(root, "verified.json"), seen: map[string]identity{}}
	if data, err := os.ReadFile(v.path); err == nil {
		if json.Unmarshal(data, &v.seen) != nil || v.seen == nil {
			v.seen = map[string]identity{} // it only saves time
		}
	}
	return v
}

// fresh is how old a file must be before its identity is relied on: one that is
// changed within a tick of the clock keeps its times.
const fresh = 2 * time.Second

// holds says whether the file's content has the digest that its name says. It
// is false for a file that is not there.
func (v *verified) holds(f File) bool {
	before, ok := identityOf(f.Path)
	if !ok || before.Size != f.Size {
		return false
	}
	v.mu.Lock()
	known, seen := v.seen[f.Path]
	v.mu.Unlock()
	if seen && known == before {
		return true
	}
	if !intact(f) {
		return false
	}
	after, ok := identityOf(f.Path)
	settled := time.Since(time.Unix(0, max(after.MTime, after.CTime))) > fresh
	if ok && after == before && settled {
		v.mu.Lock()
		v.seen[f.Path], v.changed = after, true
		v.mu.Unlock()
	}
	return true
}

// save writes what was learned; that it fails costs time, no more.
func (v *verified) save() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.changed {
		return
	}
	for path := range v.seen {
		if _, ok := identityOf(path); !ok {
			delete(v.seen, path)
		}
	}
	if data, err := json.Marshal(v.seen); err == nil && writeAtomic(v.path, data) == nil {
		v.changed = false
	}
}

// setAside keeps a file that is not what its name says, for whoever wants to
// know how that came, and returns its new place.
func (s *Store) setAside(f File) (string, error) {
	dir := filepath.Join(s.root, "damaged", time.Now().UTC().Format("20060102T150405.000Z"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("set aside the damaged %s: %w", f.Path, err)
	}
	to := filepath.Join(dir, f.Name)
	if err := os.Rename(f.Path, to); err != nil {
		return "", fmt.Errorf("set aside the damaged %s: %w", f.Path, err)
	}
	return to, nil
}
