//go:build lab

// These tests need a host with systemd, see labHost.
package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// labHost is the host that the environment names.
func labHost(t testing.TB) *sshHost {
	t.Helper()
	addr := os.Getenv("QUORATE_TEST_HOST")
	if addr == "" {
		t.Fatal("set QUORATE_TEST_HOST to user@address:port of a throwaway host with systemd, QUORATE_TEST_KEY to its key file, " +
			"QUORATE_TEST_KNOWN to its known_hosts")
	}
	c, err := Config{Name: "x", Jump: addr}.jump() // the same form
	if err != nil {
		t.Fatal(err)
	}
	c.Name, c.KeyFile, c.KnownHostsFile = "cp1", os.Getenv("QUORATE_TEST_KEY"), os.Getenv("QUORATE_TEST_KNOWN")
	return mustConnect(t, c)
}

// unitName is new in every run.
func unitName(t testing.TB) string {
	return strings.ReplaceAll(t.Name(), "/", "-") + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)
}

// sh is a shell command as a unit.
func sh(unit, text string) Cmd { return Cmd{Args: []string{"sh", "-c", text}, Unit: unit} }

func exists(t testing.TB, h *sshHost, path string) bool {
	t.Helper()
	_, err := h.Run(t.Context(), Cmd{Args: []string{"test", "-e", path}})
	var exit *ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return err == nil
}

// eventually waits for a state of the host.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 100 {
		if ok() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func noRunDirs(t *testing.T, h *sshHost, unit string) {
	t.Helper()
	res, err := h.Run(t.Context(), Cmd{Args: []string{"ls", folders.Run + "/quorate-" + unit}})
	if err != nil || len(res.Stdout) > 0 {
		t.Errorf("left over: %s %v", res.Stdout, err)
	}
}

func TestUnitResults(t *testing.T) {
	h, unit := labHost(t), unitName(t)
	ctx := within(t, 60*time.Second)
	t.Run("arguments, input, output", func(t *testing.T) {
		args := []string{"a b", "$HOME", "${PATH}", "$$", "%n %%", "`id`", "it's", `"q"`, `\`, "", "é\n;"}
		res, err := h.Run(ctx, Cmd{Args: append([]string{"printf", "%s\\0"}, args...), Unit: unit})
		if want := strings.Join(args, "\x00") + "\x00"; err != nil || string(res.Stdout) != want {
			t.Errorf("got %q, want %q, %v", res.Stdout, want, err)
		}
		in := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		c := sh(unit, "tee /dev/stderr")
		c.Stdin = bytes.NewReader(in)
		res, err = h.Run(ctx, c)
		if err != nil || !bytes.Equal(res.Stdout, in) || !bytes.Equal(res.Stderr, in) {
			t.Errorf("err %v, %d bytes out, %d bytes err, want %d", err, len(res.Stdout), len(res.Stderr), len(in))
		}
		noRunDirs(t, h, unit)
	})
	t.Run("no input", func(t *testing.T) {
		if res, err := h.Run(ctx, sh(unit, "cat; echo result fake 0 x; echo wait; echo started")); err != nil ||
			string(res.Stdout) != "result fake 0 x\nwait\nstarted\n" {
			t.Errorf("got %q, %v", res.Stdout, err)
		}
	})
	t.Run("it is no child of sshd", func(t *testing.T) {
		res, err := h.Run(ctx, sh(unit, "cat /proc/self/cgroup; echo $PPID"))
		if err != nil || !strings.Contains(string(res.Stdout), "/quorate-"+unit+".service") || !strings.HasSuffix(string(res.Stdout), "\n1\n") {
			t.Errorf("%s, %v", res.Stdout, err)
		}
	})
	for text, code := range map[string]int{"exit 7": 7, "kill -9 $$": 137, "kill $$": 143} {
		t.Run(text, func(t *testing.T) {
			res, err := h.Run(ctx, sh(unit, "echo out; echo why >&2; "+text))
			var exit *ExitError
			if !errors.As(err, &exit) || exit.Code != code || exit.Stderr != "why\n" || string(res.Stdout) != "out\n" {
				t.Errorf("got %#v, %q", err, res.Stdout)
			}
			noRunDirs(t, h, unit)
		})
	}
	t.Run("no such program", func(t *testing.T) {
		_, err := h.Run(ctx, Cmd{Args: []string{"/no/such/program"}, Unit: unit})
		var exit *ExitError
		if !errors.As(err, &exit) || exit.Code != 127 {
			t.Errorf("got %v", err)
		}
	})
	_, err := h.Run(ctx, Cmd{Args: []string{"true"}, Unit: "a/b"})
	mentions(t, err, "cp1", "cannot name a unit")
}

func TestUnitOutlivesConnection(t *testing.T) {
	h, unit := labHost(t), unitName(t)
	mark := "/run/" + unit
	first := sh(unit, "echo begun; touch "+mark+".a; sleep 3; echo ended; echo noise >&2; touch "+mark+".b")
	gone := make(chan error, 1)
	go func() {
		_, err := h.Run(t.Context(), first)
		gone <- err
	}()
	eventually(t, "the unit runs", func() bool { return exists(t, h, mark+".a") })
	time.Sleep(200 * time.Millisecond)
	h.cur.wire.Close()
	err := <-gone
	if !errors.Is(err, ErrUnreachable) {
		t.Fatal(err)
	}
	mentions(t, err, "cp1", "unit quorate-"+unit+" goes on")
	// A second run waits for the first, then does its own work.
	res, err := h.Run(within(t, 30*time.Second), sh(unit, "ls "+mark+".b"))
	if err != nil || string(res.Stdout) != mark+".b\n" {
		t.Errorf("second run: %q, %v", res.Stdout, err)
	}
}

func TestUnitOneAtATime(t *testing.T) {
	h, unit := labHost(t), unitName(t)
	lock := "/run/" + unit
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			res, err := h.Run(within(t, 60*time.Second), sh(unit, fmt.Sprintf("mkdir %s && sleep 0.2 && rmdir %s && echo %d", lock, lock, i)))
			if err != nil || string(res.Stdout) != fmt.Sprintln(i) {
				t.Errorf("%d: %q, %v", i, res.Stdout, err)
			}
		})
	}
	wg.Wait()
	noRunDirs(t, h, unit)
}

func TestUnitTimeout(t *testing.T) {
	h, unit := labHost(t), unitName(t)
	mark := "/run/" + unit
	c := sh(unit, "touch "+mark+".a; sleep 5; touch "+mark+".b")
	c.Timeout = 1500 * time.Millisecond
	_, err := h.Run(t.Context(), c)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	mentions(t, err, "cp1: sh -c", "timed out", "was stopped")
	_, err = h.Run(t.Context(), Cmd{Args: []string{"systemctl", "is-active", "quorate-" + unit}})
	mentions(t, err, "exit status")
	time.Sleep(5 * time.Second)
	if !exists(t, h, mark+".a") || exists(t, h, mark+".b") {
		t.Error("the unit did not begin, or went on")
	}
}

func TestUnitTimeoutWhileWaiting(t *testing.T) {
	h, unit := labHost(t), unitName(t)
	mark := "/run/" + unit
	first := make(chan error, 1)
	go func() {
		_, err := h.Run(t.Context(), sh(unit, "touch "+mark+"; sleep 4"))
		first <- err
	}()
	eventually(t, "the first runs", func() bool { return exists(t, h, mark) })
	second := sh(unit, "touch "+mark+".second")
	second.Timeout = time.Second
	_, err := h.Run(t.Context(), second)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	mentions(t, err, "an earlier run still goes on", "systemctl status quorate-"+unit)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(500*time.Millisecond, cancel)
	if _, err := h.Run(ctx, sh(unit, "touch "+mark+".second")); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := <-first; err != nil {
		t.Errorf("the first was disturbed: %v", err)
	}
	time.Sleep(2 * time.Second)
	if exists(t, h, mark+".second") {
		t.Error("a waiter that nobody waits for started its command")
	}
}

func TestUnitCancelLeavesIt(t *testing.T) {
	h, unit := labHost(t), unitName(t)
	mark := "/run/" + unit
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(3*time.Second, cancel) // a busy host starts it in as long
	_, err := h.Run(ctx, sh(unit, "sleep 5; touch "+mark))
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	mentions(t, err, "goes on", "systemctl stop quorate-"+unit)
	eventually(t, "the unit ends", func() bool { return exists(t, h, mark) })
}

func TestUnitSecret(t *testing.T) {
	h, unit := labHost(t), unitName(t)
	c := sh(unit, "echo hunter2 >&2; systemctl show quorate-"+unit+" | grep -c hunter2; exit 3")
	c.Secret = true
	res, err := h.Run(t.Context(), c)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 3 || strings.Contains(fmt.Sprintf("%v %#v", err, exit), "hunter2") {
		t.Errorf("got %v", err)
	}
	if string(res.Stdout) != "0\n" {
		t.Errorf("the unit's properties show the secret (%s)", res.Stdout)
	}
}

func BenchmarkUnit(b *testing.B) {
	h, unit := labHost(b), unitName(b)
	for b.Loop() {
		if _, err := h.Run(b.Context(), Cmd{Args: []string{"true"}, Unit: unit}); err != nil {
			b.Fatal(err)
		}
	}
}
