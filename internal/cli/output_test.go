package cli

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// A host that answers with escapes changes nothing on the terminal.
func TestOutputIsPlain(t *testing.T) {
	var out bytes.Buffer
	w := &plainWriter{to: &out}
	for _, part := range []string{"ok \x1b]0;pwned\x07", "\x1b[2J\r", "gr\xc3", "\xbc", "\xc3", "x \u202e ✓\xe2\x9c"} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	w.flush()
	if got, want := out.String(), `ok \u001b]0;pwned\u0007\u001b[2J\u000dgrü\xc3x \u202e ✓\xe2\x9c`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// The live view moves the cursor itself; what hosts say in it does not.
func TestLiveViewIsPlain(t *testing.T) {
	var out bytes.Buffer
	errOut := &plainWriter{to: &out}
	w := &watcher{errOut: errOut, screen: screen{out: errOut, live: true, fd: 1 << 20}, fails: map[string]engine.Event{},
		journal: &journal{err: errors.New("none")}, view: view{begun: time.Now()}}
	about := plan.About{Host: model.HostID("cp1"), Title: "start etcd\x1b[2J"}
	w.on(engine.Event{Kind: engine.StepRun, Step: &about, At: time.Now()})
	w.on(engine.Event{Kind: engine.Note, Text: "cp1: \x1b[31mall is well\u202e"})
	w.on(engine.Event{Kind: engine.StepFail, Step: &about, Err: "evil\x1b[1A"})
	got := out.String()
	for _, own := range []string{"\x1b[2A\r\x1b[J"} {
		if !strings.Contains(got, own) {
			t.Errorf("the view does not move the cursor: %q", got)
		}
		got = strings.ReplaceAll(got, own, "")
	}
	if strings.ContainsAny(got, "\x1b\r\u202e") || !strings.Contains(got, `\u001b[31mall is well\u202e`) {
		t.Errorf("%q", got)
	}
}

// quorate runs this program with another's stdin until it ends.
func quorate(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var errOut bytes.Buffer
	cmd := exec.Command(self, args...)
	cmd.Args[0], cmd.Stderr = "quorate", &errOut
	return cmd, &errOut
}

// A pipe that nobody writes to is refused as a file; on stdin it is waited for,
// until SIGTERM.
func TestFileThatNeverComes(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, errOut := quorate(t, "status", "-f", fifo)
	if err := endsBy(t, cmd, nil); err == nil || cmd.ProcessState.ExitCode() != exitUsage ||
		!strings.Contains(errOut.String(), "is a pipe, not a file") {
		t.Errorf("%v: %s", err, errOut)
	}
	cmd, errOut = quorate(t, "status", "-f", "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := endsBy(t, cmd, syscall.SIGTERM); err == nil || !strings.Contains(errOut.String(), "interrupted") {
		t.Errorf("%v: %s", err, errOut)
	}
}

// endsBy starts cmd and, once it has had time to hang, sends it a signal.
func endsBy(t *testing.T, cmd *exec.Cmd, s os.Signal) error {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for range 30 {
		select {
		case err := <-ended:
			return err
		case <-time.After(time.Second):
			if s != nil {
				_ = cmd.Process.Signal(s) // it may have ended in this moment
			}
		}
	}
	_ = cmd.Process.Kill()
	<-ended
	t.Fatalf("%v does not end", cmd.Args)
	return nil
}
