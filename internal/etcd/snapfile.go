package etcd

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.etcd.io/bbolt"
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
func wholeSnapshot(f *os.File, n int64) error {
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
	return wholeDatabase(f.Name(), n-sha256.Size)
}

// wholeDatabase says what is wrong with a database of n bytes at the beginning
// of a file. No page is read before it is certain that all of them are there.
func wholeDatabase(file string, n int64) error {
	db, err := bbolt.Open(file, 0, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return fmt.Errorf("its checksum is right, but it is no etcd database: %w", err)
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > n {
			return fmt.Errorf("it should have %d bytes, and has %d: it was cut short", tx.Size(), n)
		}
		return nil
	})
}
