// Package localfile reads files of this machine that a person named: regular
// files only, of a limited size, so that neither a pipe without a writer nor a
// device without an end holds up the program. It knows nothing of what they hold.
package localfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// TooLargeError is a file or an input that is larger than its reader takes.
type TooLargeError struct {
	Path string
	Most int64 // bytes
}

func (e TooLargeError) Error() string {
	return fmt.Sprintf("%s is larger than %s, the most that is read", e.Path, size(e.Most))
}

// IrregularError is a path that leads to something that is not a regular file.
type IrregularError struct {
	Path string
	Mode fs.FileMode
}

func (e IrregularError) Error() string { return e.Path + " is " + kind(e.Mode) + ", not a file" }

// OpenSecretError is a secret that others may read.
type OpenSecretError struct {
	Path string
	Mode fs.FileMode
}

func (e OpenSecretError) Error() string {
	return fmt.Sprintf("%s has mode %04o, so others can read it; run: chmod 600 %s", e.Path, e.Mode.Perm(), e.Path)
}

// Read returns a regular file of at most most bytes; a link to one will do.
func Read(path string, most int64) ([]byte, error) {
	f, _, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(path, f, most)
}

// Check says why Read would fail, its size apart.
func Check(path string) error {
	f, _, err := open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// maxSecret is far more than any password has.
const maxSecret = 64 << 10

// ReadSecret is Read for a secret. Its mode is judged as ssh(1) judges that of
// a private key: our own file must be closed to group and others. Another's
// may be open to a group, since that is how we can read it, but not to all.
func ReadSecret(path string) ([]byte, error) {
	f, info, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := judgeMode(path, info); err != nil {
		return nil, err
	}
	return readAll(path, f, maxSecret)
}

// CheckSecret says why ReadSecret would fail, its size apart.
func CheckSecret(path string) error {
	f, info, err := open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return judgeMode(path, info)
}

func judgeMode(path string, info fs.FileInfo) error {
	open := info.Mode().Perm() & 0o007
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == os.Geteuid() {
		open = info.Mode().Perm() & 0o077
	}
	if open != 0 {
		return OpenSecretError{path, info.Mode()}
	}
	return nil
}

// ReadStream is Read for an input that is open already, such as stdin. It
// returns when ctx ends, whether or not the writer has.
func ReadStream(ctx context.Context, name string, r io.Reader, most int64) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	got := make(chan result, 1)
	go func() {
		data, err := readAll(name, r, most)
		got <- result{data, err}
	}()
	select {
	case r := <-got:
		return r.data, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("read %s: %w", name, ctx.Err())
	}
}

// open opens a regular file. It looks before, since opening a device can have
// effects, and after, since the path may lead elsewhere by then; and it never
// waits for a pipe's writer.
func open(path string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, IrregularError{path, info.Mode()}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = IrregularError{path, info.Mode()}
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// readAll trusts no size that was told before: files of /proc tell none, and
// others grow.
func readAll(name string, r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(data)) > most {
		return nil, TooLargeError{name, most}
	}
	return data, nil
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}

func size(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
