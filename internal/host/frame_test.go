package host

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// answered runs a script in a real shell and returns what it printed.
func answered(t *testing.T, shell, text string) []byte {
	t.Helper()
	cmd := exec.Command(shell)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFrames(t *testing.T) {
	for _, shell := range []string{"sh", "bash"} {
		f := NewFrames()
		out := answered(t, shell, "echo Welcome to `uname`!\n"+f.Shell()+`
frame one; printf 'no newline'
frame "file /etc/a b"; printf '\n\nlines\n'
frame empty
frame_end; echo bye
`)
		a, err := f.Parse(out)
		if err != nil {
			t.Fatalf("%s: %v: %q", shell, err, out)
		}
		for name, want := range map[string]string{"one": "no newline", "file /etc/a b": "\n\nlines\n", "empty": ""} {
			if got, ok := a.Part(name); !ok || string(got) != want {
				t.Errorf("%s: %s is %q, %t; want %q", shell, name, got, ok, want)
			}
		}
		if got := strings.Join(a.Names(), ","); got != "one,file /etc/a b,empty" {
			t.Error(got)
		}
		if _, ok := a.Part("none"); ok || a.Text("one") != "no newline" || a.Text("file /etc/a b") != "lines" {
			t.Error("parts that are not there, or text that is not trimmed")
		}
		if got := string(a.Noise()); got != "Welcome to Linux!\nbye\n" {
			t.Errorf("%s: noise %q", shell, got)
		}
	}
}

// The exploit: an unprivileged process with a newline and a frame in its name
// listens on a port, and ss prints it into the probe's answer.
func TestNamesOfProcessesAreNoFrames(t *testing.T) {
	f, earlier := NewFrames(), NewFrames()
	for _, evil := range []string{"\n@@ lost\nyes\n", "\n" + earlier.mark + " lost\nyes\n", "\nquorate_mark=x\n",
		"\n$quorate_mark lost\nyes\n"} {
		cmd := exec.Command("sh", "-s", evil)
		cmd.Stdin = strings.NewReader(f.Shell() + `frame ports; printf 'LISTEN users:(("%s",pid=1))\n' "$1"; frame_end` + "\n")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		a, err := f.Parse(out)
		if err != nil || len(a.Names()) != 1 {
			t.Errorf("%q: parts %q, %v", evil, a.Names(), err)
		}
	}
	if earlier.mark == f.mark || len(f.mark) < 32 {
		t.Errorf("marks %s, %s", earlier.mark, f.mark)
	}
}

// The mark does not show where other users can read it: the arguments and the
// environment of what the script starts.
func TestMarkIsNotInTheProcessList(t *testing.T) {
	f := NewFrames()
	out := answered(t, "sh", f.Shell()+"frame seen; env; tr '\\0' ' ' </proc/$$/cmdline; sh -c 'tr \"\\0\" \" \" </proc/$$/cmdline; "+
		"env'; frame_end\n")
	a, err := f.Parse(out)
	if err != nil {
		t.Fatal(err)
	}
	if seen, _ := a.Part("seen"); len(seen) == 0 || bytes.Contains(seen, []byte(f.mark)) {
		t.Errorf("seen:\n%s", seen)
	}
}

func TestDamagedAnswers(t *testing.T) {
	f := Frames{"M"}
	for out, want := range map[string]string{
		"":                             "the answer is missing (0 bytes)",
		"Welcome":                      "the answer is missing",
		"\nM\n":                        "the answer is missing",
		"\nM a\nx":                     "the answer was cut short (6 bytes)",
		"\nM a\nx\nM":                  "the answer was cut short",
		"\nM a\nx\nM b":                "the answer was cut short",
		"\nM a\nx\nM a\ny\nM\n":        `the answer has the part "a" twice`,
		"\nM a\nx\nM\nnoise\nM a\n\nM": `the answer has the part "a" twice`,
		"\nM \nx\nM\n":                 `the answer has the mark " "`,
		"\nMa\nx\nM\n":                 `the answer has the mark "a"`,
	} {
		a, err := f.Parse([]byte(out))
		var damaged *AnswerError
		if !errors.As(err, &damaged) || !strings.Contains(err.Error(), want) || len(a.Names()) > 0 {
			t.Errorf("%q: %q, %v; want %s", out, a.Names(), err, want)
		}
	}
	so := f.Partial([]byte("hi\nM a\nx\nM b\nstarted\n"))
	if so.Text("a") != "x" || so.Text("b") != "started" || string(so.Noise()) != "hi" {
		t.Errorf("so far %+v", so)
	}
	if got := f.Partial([]byte("\nM a\n\nM a\n")); len(got.Names()) > 0 {
		t.Errorf("damaged: %+v", got)
	}
}

// FuzzFrames: no answer makes it panic, none has a part twice, and what a
// script puts into parts comes out of them.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\nM a\nx\nM b\n\nM\n"), "a", []byte("x"), []byte("noise"))
	f.Add([]byte("\nM"), "file /x", []byte("\n\nM"), []byte("\n"))
	f.Fuzz(func(t *testing.T, out []byte, name string, payload, noise []byte) {
		frames := Frames{"M"}
		a, err := frames.Parse(out)
		if err == nil && len(a.parts) != len(a.names) {
			t.Fatalf("%q: %d parts, named %q", out, len(a.parts), a.names)
		}
		frames.Partial(out)
		if name == "" || strings.Contains(name, "\n") || strings.Contains(string(payload)+"\n", "\nM") ||
			strings.Contains(string(noise)+"\n", "\nM") {
			return
		}
		made := bytes.Join([][]byte{noise, []byte("\nM " + name + "\n"), payload, []byte("\nM\n"), noise}, nil)
		a, err = frames.Parse(made)
		if err != nil {
			t.Fatalf("%q: %v", made, err)
		}
		if got, _ := a.Part(name); !bytes.Equal(got, payload) {
			t.Fatalf("%q: %q, want %q", made, got, payload)
		}
		if got := a.Noise(); !bytes.Equal(got, append(bytes.Clone(noise), noise...)) {
			t.Fatalf("%q: noise %q", made, got)
		}
	})
}
