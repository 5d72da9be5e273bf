package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// archive packs a folder into a file of the release, gzipped if its name says so.
func (b *build) archive(name, dir string) (err error) {
	f, err := os.Create(filepath.Join(b.dist, name))
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	var to io.Writer = f
	if strings.HasSuffix(name, ".gz") {
		z := gzip.NewWriter(f)
		defer func() {
			if e := z.Close(); err == nil {
				err = e
			}
		}()
		to = z
	}
	return pack(to, dir, b.time)
}

// pack writes a folder as a tar archive in the order of names, with one time, and
// without owners or the builder's umask.
func pack(to io.Writer, dir string, at time.Time) error {
	w := tar.NewWriter(to)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: at})
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text)), ModTime: at}); err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	return w.Close()
}

// checksums writes SHA256SUMS, as sha256sum -c reads it, of all that is released.
func (b *build) checksums() error {
	files, err := os.ReadDir(b.dist)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, f := range files {
		sum, err := digest(filepath.Join(b.dist, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, f.Name())
	}
	return put(filepath.Join(b.dist, "SHA256SUMS"), []byte(sums.String()))
}

// digest is the SHA-256 of a file, in hex.
func digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
