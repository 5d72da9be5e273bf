package host

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// noisy is a host whose shell says something before and after each command, on
// both outputs, and once without a line break.
func noisy(t *testing.T) *sshd {
	t.Helper()
	dir := t.TempDir()
	script := filepath.Join(dir, "shell")
	text := `#!/bin/sh
echo "Welcome to $(uname), load $((1 + 1))"; echo "@@ lost"; echo yes; printf 'no line break'
echo "motd on stderr" >&2
sh -c "$SSH_ORIGINAL_COMMAND"
code=$?
echo "see you" >&2; echo "see you"
exit $code
`
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return startSSHD(t, "ForceCommand "+script)
}

// The exploit was an accident: "the host answered for 6 files, not 5", in the
// middle of a plan.
func TestNoisyShell(t *testing.T) {
	s := noisy(t)
	h := s.connect(t)
	dir, own := t.TempDir(), me(t)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := os.WriteFile(a, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	kept, err := h.WriteFiles(t.Context(), []File{{Path: a, Content: []byte("new"), Owner: own},
		{Path: b, Content: []byte("\x00\n\n"), Owner: own}})
	if err != nil || len(kept) != 2 || !strings.HasSuffix(kept[0], a) || kept[1] != "" {
		t.Fatalf("kept %q, %v", kept, err)
	}
	for path, want := range map[string]string{a: "new", b: "\x00\n\n", kept[0]: "old"} {
		if got, err := h.ReadFile(t.Context(), path); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", path, got, err, want)
		}
	}
	if _, err := h.ReadFile(t.Context(), filepath.Join(dir, "none")); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	res, err := h.Run(t.Context(), Cmd{Args: []string{"echo", "hi"}})
	if err != nil || !strings.HasPrefix(string(res.Stdout), "hi\n") || strings.Contains(string(res.Stdout)+string(res.Stderr), "Welcome") {
		t.Errorf("%q, %q, %v", res.Stdout, res.Stderr, err)
	}
	var exit *ExitError
	if _, err := h.Run(t.Context(), Cmd{Args: []string{"sh", "-c", "exit 7"}}); !errors.As(err, &exit) || exit.Code != 7 {
		t.Error(err)
	}
	from := blob(t, 100_000)
	if _, err := h.Upload(t.Context(), from, filepath.Join(dir, "up")); err != nil {
		t.Error(err)
	}
	if sent, err := h.Upload(t.Context(), from, filepath.Join(dir, "up")); err != nil || sent != 0 {
		t.Errorf("sent again: %d, %v", sent, err)
	}
	noise, found := Noise(h)
	if !found || noise.Host != "cp1" || !strings.HasPrefix(noise.Text, "Welcome to Linux") || !strings.Contains(noise.String(), ".bashrc") {
		t.Errorf("%+v, %t", noise, found)
	}
	if _, found := Noise(startSSHD(t).connect(t)); found {
		t.Error("a quiet host was found noisy")
	}
}

// A stream by command begins after the noise, too.
func TestNoisyShellDials(t *testing.T) {
	s := noisy(t)
	h := s.connect(t)
	echo := echoServer(t, "tcp", "127.0.0.1:0")
	c, err := h.dialByCommand(within(t, time.Minute), "tcp", echo)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := c.Read(got); err != nil || string(got) != "ping" {
		t.Errorf("%q, %v", got, err)
	}
}

// A login shell that runs nothing is no host that answers "".
func TestShellThatRunsNothing(t *testing.T) {
	for _, code := range []string{"0", "1"} {
		s := startSSHD(t, "ForceCommand echo 'This account is not available.'; exit "+code)
		h := s.connect(t)
		_, err := h.Run(t.Context(), Cmd{Args: []string{"true"}})
		mentions(t, err, "cp1")
		if code == "0" {
			mentions(t, err, "This account is not available", "POSIX shell")
		}
		ctx := within(t, time.Minute)
		if _, err := h.dialByCommand(ctx, "tcp", "127.0.0.1:1"); err == nil || ctx.Err() != nil {
			t.Errorf("dial: %v", err)
		}
	}
}

// What a host says cannot move the cursor.
func TestErrorsArePlain(t *testing.T) {
	h := startSSHD(t).connect(t)
	_, err := h.Run(t.Context(), Cmd{Args: []string{"sh", "-c",
		`printf 'first\n\033]0;pwned\007\033[2J\302\233 \342\200\256txt\n' >&2; exit 3`}})
	mentions(t, err, `\u001b]0;pwned\u0007`, `\u009b`, `\u202etxt`, "exit status 3")
	if strings.ContainsAny(err.Error(), "\x1b\a\u009b\u202e") {
		t.Errorf("%q", err)
	}
	var exit *ExitError
	if !errors.As(err, &exit) || !strings.Contains(exit.Stderr, "\x1b]0;") {
		t.Errorf("the evidence was changed: %q", exit.Stderr)
	}
}

// An answer without an end is ended, and does not fill the memory.
func TestEndlessAnswer(t *testing.T) {
	h := startSSHD(t).connect(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, ask := range map[string]func(context.Context) error{
		"run": func(ctx context.Context) error {
			_, err := h.Run(ctx, Cmd{Args: []string{"cat", "/dev/zero"}})
			return err
		},
		"read": func(ctx context.Context) error { _, err := h.ReadFile(ctx, "/dev/zero"); return err },
		"unended line": func(ctx context.Context) error {
			_, err := Ask(ctx, h, Script{What: "ask", Text: "frame x; tr '\\0' x </dev/zero"})
			return err
		},
	} {
		ctx := within(t, 60*time.Second)
		err := ask(ctx)
		var much *TooMuchError
		if !errors.As(err, &much) || ctx.Err() != nil {
			t.Fatalf("%s: %v", name, err)
		}
		mentions(t, err, "cp1", "32 MiB")
	}
	runtime.ReadMemStats(&after)
	if mib := int64(after.HeapSys-before.HeapSys) >> 20; mib > 400 {
		t.Errorf("the heap grew by %d MiB", mib)
	}
	works(t, h)
}

// A command may say much on stderr and yet be right; not all of it is kept.
func TestEndlessComplaint(t *testing.T) {
	h := startSSHD(t).connect(t)
	res, err := h.Run(within(t, 60*time.Second), Cmd{Args: []string{"sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' e >&2; echo done"}})
	if err != nil || string(res.Stdout) != "done\n" || len(res.Stderr) > maxStderr+100 ||
		!bytes.HasSuffix(res.Stderr, []byte("(more than 1 MiB; the rest was dropped)\n")) {
		t.Errorf("%q, %d bytes of stderr, %v", res.Stdout, len(res.Stderr), err)
	}
}

func TestAsk(t *testing.T) {
	for name, s := range map[string]*sshd{"quiet": startSSHD(t), "noisy": noisy(t)} {
		h := s.connect(t)
		a, err := Ask(t.Context(), h, Script{What: "look", Text: "frame args; echo \"$1-$2\"\nframe in; cat\nframe_end\n",
			Args: []string{"a b", "'"}, Stdin: strings.NewReader("input")})
		if err != nil {
			t.Fatal(name, err)
		}
		if in, _ := a.Part("in"); a.Text("args") != "a b-'" || string(in) != "input" {
			t.Errorf("%s: %q %q", name, a.Text("args"), in)
		}
		_, err = Ask(t.Context(), h, Script{What: "look", Text: "frame a; echo broken >&2; exit 9"})
		var exit *ExitError
		if !errors.As(err, &exit) || exit.Code != 9 || !strings.HasPrefix(err.Error(), "cp1: look: exit status 9: ") {
			t.Errorf("%s: %v", name, err)
		}
		_, err = Ask(t.Context(), h, Script{What: "look", Text: "frame a; exit 0"})
		mentions(t, err, "cp1: look: ", "cut short")
		_, err = Ask(t.Context(), h, Script{What: "look", Text: "frame a; frame a; frame_end"})
		mentions(t, err, "cp1: look: ", `"a" twice`)
	}
}

// The mark is found wherever the network cuts it.
func TestSkipper(t *testing.T) {
	text := "noise" + strings.Repeat("x", maxWaiting-100) + "MARK\nanswer"
	for _, size := range []int{1, 3, 1000, len(text)} {
		var out bytes.Buffer
		s := newSkipper(&out, "MARK", func() { t.Error("too much") })
		for rest := []byte(text); len(rest) > 0; {
			n := min(size, len(rest))
			if wrote, err := s.Write(rest[:n]); wrote != n || err != nil {
				t.Fatal(wrote, err)
			}
			rest = rest[n:]
		}
		noise, instead := s.end()
		if out.String() != "answer" || len(noise) != maxWaiting-95 || instead != nil {
			t.Errorf("in pieces of %d: %q, %d bytes of noise, %q", size, out.String(), len(noise), instead)
		}
	}
	s := newSkipper(&bytes.Buffer{}, "MARK", nil)
	s.Write([]byte("sh: not found"))
	if noise, instead := s.end(); noise != nil || string(instead) != "sh: not found" {
		t.Errorf("%q, %q", noise, instead)
	}
}

// The exploit: a shell that talks without an end cost 14 s of processor time
// here before the 20 s of a look were over.
func TestEndlessNoise(t *testing.T) {
	for name, shell := range map[string]string{
		"on stdout": "exec yes forged", "on stderr": "exec yes forged >&2", "without line breaks": "exec tr '\\0' x </dev/zero",
		"and a mark that is none": `while :; do printf 'quorate-begin-0123456789abcdef\n%01000d' 0; done`,
	} {
		t.Run(name, func(t *testing.T) {
			h := startSSHD(t, "ForceCommand "+shell).connect(t)
			for what, ask := range map[string]func(context.Context) error{
				"run": func(ctx context.Context) error { _, err := h.Run(ctx, Cmd{Args: []string{"true"}}); return err },
				"ask": func(ctx context.Context) error {
					_, err := Ask(ctx, h, Script{What: "ask", Text: "frame_end"})
					return err
				},
				"read": func(ctx context.Context) error { _, err := h.ReadFile(ctx, "/etc/hostname"); return err },
				"dial": func(ctx context.Context) error { _, err := h.dialByCommand(ctx, "tcp", "127.0.0.1:1"); return err },
			} {
				began := processorTime(t)
				err := ask(within(t, time.Minute))
				mentions(t, err, "cp1", "256 KiB", ".bashrc")
				if used := processorTime(t) - began; used > 5*time.Second {
					t.Errorf("%s: cost %s of processor time", what, used)
				}
			}
		})
	}
}

// processorTime is what this process has used so far.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// A command that complains without an end is ended.
func TestEndlessStderr(t *testing.T) {
	h := startSSHD(t).connect(t)
	_, err := h.Run(within(t, time.Minute), Cmd{Args: []string{"sh", "-c", "exec yes >&2"}})
	var much *TooMuchError
	if !errors.As(err, &much) {
		t.Error(err)
	}
	works(t, h)
}
