package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"quorate.dev/quorate/internal/host"
)

// Key is all that decides which bytes come out of a build or download.
type Key struct {
	Source    string `json:"source"` // modules | upstream
	Component string `json:"component"`
	Version   string `json:"version"`
	Arch      string `json:"arch"`
	Toolchain string `json:"toolchain,omitempty"` // go1.26.8; empty for downloads
	Recipe    string `json:"recipe"`              // digest of how it is made
}

// id is the key as a file name: readable, and different for every key.
func (k Key) id() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{k.Source, k.Component, k.Version, k.Arch, k.Toolchain, k.Recipe}, "\n")))
	return fmt.Sprintf("%s-%s-%s-%s-%s", k.Source, k.Component, k.Version, k.Arch, hex.EncodeToString(sum[:6]))
}

// lockName is the same for all keys that would work in the same place.
func (k Key) lockName() string {
	return fmt.Sprintf("%s-%s-%s-%s", k.Source, k.Component, k.Version, k.Arch)
}

// Entry is what the index remembers of one key.
type Entry struct {
	Key
	Files map[string]Record `json:"files"`
}

// Record is one file of an entry.
type Record struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	// From is the SHA-256 of the download that it came out of.
	From string `json:"from,omitempty"`
	// Images are the digests of the manifests in an image set, by the images' names.
	Images map[string]string `json:"images,omitempty"`
	Made   time.Time         `json:"made"`
	// Seconds is how long the making of this file and of those made with it took.
	Seconds float64 `json:"seconds"`
}

// file is where in s a record's file lies.
func (s *Store) file(name string, r Record) File {
	return File{Name: name, Blob: host.Blob{Path: s.path(name, r.SHA256), SHA256: r.SHA256, Size: r.Size, Mode: uint32(modeOf(name))}}
}

// entryPath is where the index keeps the entry of key.
func (s *Store) entryPath(key Key) string {
	return filepath.Join(s.root, "index", key.id()+".json")
}

// lookup returns those of names that the store has under key with the content
// that it recorded, and the rest. A file that was changed is set aside, and said.
func (s *Store) lookup(key Key, names []string, tell telling) (have map[string]File, missing []string, err error) {
	return s.lookupOf(key, names, tell, func(string, Record) bool { return true })
}

// lookupOf is lookup among the records that serve.
func (s *Store) lookupOf(key Key, names []string, tell telling, serves func(string, Record) bool) (map[string]File, []string, error) {
	e, err := s.readEntry(s.entryPath(key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	defer s.verified.save()
	have, missing := map[string]File{}, []string(nil)
	for _, n := range names {
		r, ok := e.Files[n]
		f := s.file(n, r)
		switch {
		case !ok || !serves(n, r) || !s.present(f):
			missing = append(missing, n)
		case s.verified.holds(f):
			have[n] = f
		default:
			missing = append(missing, n)
			at, err := s.setAside(f)
			if err != nil {
				return nil, nil, err
			}
			tell("damaged", fmt.Sprintf("%s was changed in the store; the changed file is kept at %s, and it is made again", n, at), 0, 0)
		}
	}
	return have, missing, nil
}

// origin is what a record says of where files came from.
type origin struct {
	from   string            // SHA-256 of the download
	images map[string]string // digests of an image set's manifests, by name
}

// record adds files to the entry of key. The caller holds the component's lock.
func (s *Store) record(key Key, took time.Duration, of origin, files ...File) error {
	path := s.entryPath(key)
	e, err := s.readEntry(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	e.Key = key
	if e.Files == nil {
		e.Files = map[string]Record{}
	}
	for _, f := range files {
		e.Files[f.Name] = Record{SHA256: f.SHA256, Size: f.Size, From: of.from, Images: of.images,
			Made: time.Now().UTC().Truncate(time.Second), Seconds: took.Round(100 * time.Millisecond).Seconds()}
	}
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("write index of %s: %w", key.Component, err)
	}
	return writeAtomic(path, append(data, '\n'))
}

// readEntry reads one index file. One that cannot be parsed counts as absent:
// the index is a memory of work done, and doing it again mends it.
func (s *Store) readEntry(path string) (Entry, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Entry{}, fmt.Errorf("read index: %w", err)
	}
	var e Entry
	if json.Unmarshal(data, &e) != nil {
		return Entry{}, fmt.Errorf("parse %s: %w", path, fs.ErrNotExist)
	}
	return e, nil
}

// writeAtomic writes data beside path and renames it there.
func writeAtomic(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
