package localfile

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What is no regular file is refused at once: a pipe without a writer would
// hold us up for ever, a device may have no end.
func TestReadRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := syscall.Mkfifo(at("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("fifo", at("link")); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for path, want := range map[string]string{
		at("fifo"): "is a pipe", at("link"): "is a pipe", at("socket"): "is a socket", dir: "is a folder", "/dev/zero": "is a device",
	} {
		_, err := Read(path, 100)
		if !errors.As(err, new(IrregularError)) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", path, err, want)
		}
		if checked := Check(path); checked == nil || checked.Error() != err.Error() {
			t.Errorf("%s: check says %v, read %v", path, checked, err)
		}
	}
	if _, err := Read(at("none"), 100); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestReadIsLimited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := Read(path, 5); err != nil || string(data) != "12345" {
		t.Error(string(data), err)
	}
	if _, err := Read(path, 4); !errors.As(err, new(TooLargeError)) {
		t.Error(err)
	}
	if _, err := Read("/proc/self/maps", 64); !errors.As(err, new(TooLargeError)) {
		t.Errorf("a file that tells no size: %v", err)
	}
}

// endless never ends, and counts what was taken from it.
type endless struct{ taken int }

func (e *endless) Read(p []byte) (int, error) { e.taken += len(p); return len(p), nil }

func TestReadStream(t *testing.T) {
	e := &endless{}
	if _, err := ReadStream(t.Context(), "stdin", e, 1<<20); !errors.As(err, new(TooLargeError)) || !strings.Contains(err.Error(), "1 MiB") {
		t.Error(err)
	}
	if e.taken > 4<<20 {
		t.Errorf("%d bytes were read", e.taken)
	}
	silent, _ := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ReadStream(ctx, "stdin", silent, 100); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if data, err := ReadStream(t.Context(), "stdin", strings.NewReader("x"), 1); err != nil || string(data) != "x" {
		t.Error(string(data), err)
	}
}

func TestReadSecretWantsAClosedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	for mode, ok := range map[fs.FileMode]bool{
		0o600: true, 0o400: true, 0o700: true, 0o640: false, 0o604: false, 0o644: false, 0o660: false, 0o610: false,
	} {
		if err := os.WriteFile(path, []byte("hunter2\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		data, err := ReadSecret(path)
		checked := CheckSecret(path)
		switch {
		case ok && (err != nil || checked != nil || string(data) != "hunter2\n"):
			t.Errorf("%o: %q, %v, %v", mode, data, err, checked)
		case ok:
		case !errors.As(err, new(OpenSecretError)), !errors.As(checked, new(OpenSecretError)), !strings.Contains(err.Error(), "chmod 600 "+path):
			t.Errorf("%o: %v, %v", mode, err, checked)
		}
	}
}

// Another user's file that only a group may read is how a team shares one.
func TestReadSecretOfAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving a file away needs root")
	}
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 12345, 0); err != nil {
		t.Fatal(err)
	}
	if err := CheckSecret(path); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := CheckSecret(path); !errors.As(err, new(OpenSecretError)) {
		t.Error(err)
	}
}
