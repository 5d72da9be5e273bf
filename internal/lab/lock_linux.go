package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lock is a file lock (flock): the kernel lets it go when its holder dies.
type lock struct{ file *os.File }

var errBusy = errors.New("another quorate lab command is at work on it")

// lockFile waits for the lock. With unix.LOCK_SH the file must exist; with
// unix.LOCK_EX it is made. LOCK_NB refuses to wait and fails with errBusy.
func lockFile(ctx context.Context, path string, how int) (*lock, error) {
	flags := os.O_RDWR
	if how&unix.LOCK_EX != 0 {
		flags |= os.O_CREATE
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, fmt.Errorf("make the folder of a lock: %w", err)
		}
	}
	for {
		f, err := os.OpenFile(path, flags, 0o600)
		if errors.Is(err, fs.ErrNotExist) && flags&os.O_CREATE != 0 {
			// Its folder went away with the last lab.
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open lock: %w", err)
		}
		err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if err == nil && isFileAt(f, path) {
			return &lock{f}, nil
		}
		f.Close()
		switch {
		case err == nil: // it was removed while we waited: take the new one
			continue
		case !errors.Is(err, unix.EWOULDBLOCK):
			return nil, fmt.Errorf("lock %s: %w", path, err)
		case how&unix.LOCK_NB != 0:
			return nil, errBusy
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %s: %w", path, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// isFileAt says whether path still leads to the open file.
func isFileAt(f *os.File, path string) bool {
	a, errA := f.Stat()
	b, errB := os.Stat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}

func (l *lock) release() { l.file.Close() }

// remove takes the lock's file away while it is held, then lets go. The folder
// goes with its last file.
func (l *lock) remove() {
	os.Remove(l.file.Name())
	os.Remove(filepath.Dir(l.file.Name()))
	l.file.Close()
}

// releaseLab lets a lab's lock go, and takes its file away when the lab is gone.
func (l *lock) releaseLab(name string) {
	if _, err := os.Stat(filepath.Join(stateRoot, name)); errors.Is(err, fs.ErrNotExist) {
		l.remove()
		return
	}
	l.release()
}

// A lab's lock is held exclusively by up, down and clean, and shared by what
// concerns one host. The lock of all labs is held, briefly, where labs meet:
// subnets, the machine's settings, traces without an owner.

func labLock(ctx context.Context, name string, how int) (*lock, error) {
	return lockFile(ctx, filepath.Join(stateRoot, name+".lock"), how)
}

func allLabsLock(ctx context.Context) (*lock, error) {
	return lockFile(ctx, filepath.Join(stateRoot, ".lock"), unix.LOCK_EX)
}
