package etcd

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// CheckSnapshotFile reads a snapshot on this machine to its end: etcd's
// checksum, and that what it is of is a whole database. Revision and keys of
// it only etcdutl can tell, on a host.
func CheckSnapshotFile(file string) (Snapshot, error) {
	f, err := os.Open(file)
	if err != nil {
		return Snapshot{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Snapshot{}, err
	}
	if !st.Mode().IsRegular() {
		return Snapshot{}, fmt.Errorf("%s is not a file", file)
	}
	s := Snapshot{Path: file, Size: st.Size(), Time: st.ModTime().UTC()}
	_, err = os.Stat(file + KeysSuffix)
	s.WithKeys = err == nil
	if err := wholeSnapshot(f, s.Size); err != nil {
		s.Problem = err.Error()
		if errors.As(err, new(*os.PathError)) {
			return s, err // not read, so not judged
		}
	}
	s.Checked = true
	return s, nil
}

// wholeSnapshot judges n bytes.
func wholeSnapshot(f io.ReaderAt, n int64) error {
	if n%512 != sha256.Size {
		return errors.New("there is no checksum at its end: it was cut short, or is no snapshot that etcd gave")
	}
	var sum TrailingSum
	if _, err := io.Copy(&sum, io.NewSectionReader(f, 0, n)); err != nil {
		return err
	}
	if sum.Err() != nil {
		return errors.New("it does not match its checksum: it was changed or damaged after etcd gave it")
	}
	return wholeBolt(f, n-sha256.Size)
}

// Where bbolt keeps what about a database, in the byte order of the machine that
// wrote it; ours are amd64 (bbolt: internal/common/page.go and meta.go).
const (
	boltHeader = 16 // of a page
	boltMeta   = 64 // after it, on the first two pages
	boltMagic  = 0xED0CDAED
	boltFormat = 2
)

// wholeBolt says what is wrong with a database of n bytes: one of its two meta
// pages must be right, and the pages that it counts must be there.
func wholeBolt(f io.ReaderAt, n int64) error {
	none := errors.New("its checksum is right, but it is no etcd database")
	first := make([]byte, boltHeader+boltMeta)
	if _, err := f.ReadAt(first, 0); err != nil {
		return none
	}
	page := int64(binary.LittleEndian.Uint32(first[boltHeader+8:]))
	if page < 512 || page > 1<<16 {
		page = 4096 // the first one may be the broken one
	}
	for _, at := range []int64{0, page} {
		b := make([]byte, boltHeader+boltMeta)
		if _, err := f.ReadAt(b, at); err != nil {
			continue
		}
		m := b[boltHeader:]
		sum := fnv.New64a()
		sum.Write(m[:boltMeta-8])
		if binary.LittleEndian.Uint32(m) != boltMagic || binary.LittleEndian.Uint32(m[4:]) != boltFormat || binary.LittleEndian.Uint64(m[56:]) != sum.Sum64() {
			continue
		}
		if pages := int64(binary.LittleEndian.Uint64(m[40:])); pages*page > n {
			return fmt.Errorf("it should hold %d pages of %d bytes, and has %d bytes: it was cut short", pages, page, n)
		}
		return nil
	}
	return none
}
