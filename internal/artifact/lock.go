package artifact

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// work is the right to make one component, and an empty folder to do it in.
// The kernel gives the right back when the last process that holds the lock's
// file is gone: toolchains we start inherit it, so that one whose quorate was
// killed keeps the folder to itself until it has ended too.
type work struct {
	dir  string
	lock *os.File
}

// begin waits until no other process makes the same thing, then clears what a
// killed one left. waiting is called once when there is something to wait for.
func (s *Store) begin(ctx context.Context, name string, waiting func()) (*work, error) {
	path := filepath.Join(s.root, "lock", name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	for first := true; ; first = false {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if first && waiting != nil {
			waiting()
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("wait for another quorate that is making %s: %w", name, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
	w := &work{dir: filepath.Join(s.root, "tmp", name), lock: f}
	if err := os.RemoveAll(w.dir); err != nil {
		f.Close()
		return nil, fmt.Errorf("clear what a killed run left: %w", err)
	}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		f.Close()
		return nil, fmt.Errorf("make work folder: %w", err)
	}
	return w, nil
}

// end removes the work folder and gives the right back.
func (w *work) end() {
	os.RemoveAll(w.dir)
	syscall.Flock(int(w.lock.Fd()), syscall.LOCK_UN)
	w.lock.Close()
}
