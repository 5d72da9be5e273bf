package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An archive is the same whatever the umask was and the clock said.
func TestPackIsTheSame(t *testing.T) {
	at, archives := time.Unix(1e9, 0), [2]bytes.Buffer{}
	for i, mode := range []os.FileMode{0o600, 0o666} {
		dir := t.TempDir()
		path := filepath.Join(dir, "sub", "file")
		if err := put(path, []byte("text")); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Unix(int64(i+1)*1e6, 0)); err != nil {
			t.Fatal(err)
		}
		if err := pack(&archives[i], dir, at); err != nil {
			t.Fatal(err)
		}
	}
	if archives[0].Len() == 0 || !bytes.Equal(archives[0].Bytes(), archives[1].Bytes()) {
		t.Error("two archives of the same files differ")
	}
}
