package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

func TestRun(t *testing.T) {
	h := startSSHD(t).connect(t)
	ctx := within(t, 5*time.Minute)

	t.Run("arguments arrive as they are", func(t *testing.T) {
		args := []string{"a b", "", "$HOME", "`id`", "it's", "\"q\"", "*", "~", "é\n\t", "-n", "\\"}
		res, err := h.Run(ctx, Cmd{Args: append([]string{"printf", "%s\\0"}, args...)})
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Join(args, "\x00") + "\x00"; string(res.Stdout) != want {
			t.Errorf("got %q, want %q", res.Stdout, want)
		}
	})
	t.Run("output is complete", func(t *testing.T) {
		in := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		res, err := h.Run(ctx, Cmd{Args: []string{"sh", "-c", "tee /dev/stderr"}, Stdin: bytes.NewReader(in)})
		if err != nil || !bytes.Equal(res.Stdout, in) || !bytes.Equal(res.Stderr, in) {
			t.Errorf("err %v, %d bytes out, %d bytes err, want %d each", err, len(res.Stdout), len(res.Stderr), len(in))
		}
	})
	t.Run("exit status", func(t *testing.T) {
		res, err := h.Run(ctx, Cmd{Args: []string{"sh", "-c", "echo out; echo first >&2; echo last >&2; exit 7"}})
		var exit *ExitError
		if !errors.As(err, &exit) || exit.Code != 7 || exit.Host != "cp1" || exit.Stderr != "first\nlast\n" || string(res.Stdout) != "out\n" {
			t.Fatalf("got %#v, stdout %q", err, res.Stdout)
		}
		mentions(t, err, "cp1: sh -c", "exit status 7: last")
	})
	t.Run("killed by a signal", func(t *testing.T) {
		_, err := h.Run(ctx, Cmd{Args: []string{"sh", "-c", "kill -9 $$"}})
		var exit *ExitError
		if !errors.As(err, &exit) || exit.Code < 128 {
			t.Fatalf("got %#v", err)
		}
	})
	t.Run("secret", func(t *testing.T) {
		_, err := h.Run(ctx, Cmd{Args: []string{"sh", "-c", "echo hunter2 >&2; exit 1", "hunter2"}, Secret: true})
		var exit *ExitError
		if !errors.As(err, &exit) || strings.Contains(fmt.Sprintf("%v %#v", err, exit), "hunter2") {
			t.Fatalf("got %#v", err)
		}
	})
	t.Run("input not read", func(t *testing.T) {
		if _, err := h.Run(ctx, Cmd{Args: []string{"true"}, Stdin: bytes.NewReader(make([]byte, 8<<20))}); err != nil {
			t.Error(err)
		}
	})
	t.Run("input that fails", func(t *testing.T) {
		_, err := h.Run(ctx, Cmd{Args: []string{"cat"}, Stdin: io.MultiReader(strings.NewReader("x"), iotest.ErrReader(errors.New("bad disk")))})
		mentions(t, err, "cp1", "bad disk")
	})
	t.Run("timeout ends the process too", func(t *testing.T) {
		pid := filepath.Join(t.TempDir(), "pid")
		// Long enough to start it: on a busy machine not the first is.
		for timeout := 300 * time.Millisecond; ; timeout *= 3 {
			_, err := h.Run(ctx, Cmd{Args: []string{"sh", "-c", "echo $$ >" + pid + "; exec sleep 600"}, Timeout: timeout})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			if b, _ := os.ReadFile(pid); len(b) > 0 && strings.HasPrefix(err.Error(), "cp1: ") && strings.Contains(err.Error(), "timed out after") {
				ended(t, strings.TrimSpace(string(b)))
				return
			}
			if timeout > 20*time.Second {
				t.Fatalf("it did not start: %v", err)
			}
		}
	})
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(200*time.Millisecond, cancel)
		if _, err := h.Run(ctx, Cmd{Args: []string{"sleep", "60"}}); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	})
	t.Run("nonsense", func(t *testing.T) {
		_, err := h.Run(ctx, Cmd{})
		mentions(t, err, "cp1", "no command")
		_, err = h.Run(ctx, Cmd{Args: []string{"a\x00b"}})
		mentions(t, err, "NUL")
		_, err = h.Run(ctx, Cmd{Args: []string{"echo", strings.Repeat("x", 200<<10)}})
		mentions(t, err, "cp1", "on stdin")
	})
}

// ended waits until a process is no more.
func ended(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	for range 600 {
		if err := syscall.Kill(n, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("process %d goes on", n)
}

func TestManySessionsAtOnce(t *testing.T) {
	for _, max := range []string{"10", "2"} { // of sshd; ours is 8
		t.Run("MaxSessions "+max, func(t *testing.T) {
			h := startSSHD(t, "MaxSessions "+max).connect(t)
			var wg sync.WaitGroup
			for i := range 40 {
				wg.Go(func() {
					res, err := h.Run(t.Context(), Cmd{Args: []string{"sh", "-c", "sleep 0.05; echo $0", fmt.Sprint(i)}})
					if err != nil || string(res.Stdout) != fmt.Sprintln(i) {
						t.Errorf("%d: %q, %v", i, res.Stdout, err)
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestReadFile(t *testing.T) {
	h := startSSHD(t).connect(t)
	dir := t.TempDir()
	name := filepath.Join(dir, "with space")
	if err := os.WriteFile(name, []byte("a\x00b\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := h.ReadFile(t.Context(), name); err != nil || string(b) != "a\x00b\n\n" {
		t.Errorf("got %q, %v", b, err)
	}
	_, err := h.ReadFile(t.Context(), filepath.Join(dir, "missing"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	mentions(t, err, "cp1: read "+dir)
	for _, p := range []string{dir, filepath.Join(name, "below")} {
		if _, err := h.ReadFile(t.Context(), p); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v, want another error than missing", p, err)
		}
	}
}
