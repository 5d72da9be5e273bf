package host

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"quorate.dev/quorate/internal/plain"
)

// quiet is what to do about a shell that prints something.
const quiet = "let its .bashrc, profile and sshrc print nothing without a terminal"

// ShellNoise says that a host's shell prints something of its own when a
// command is run over SSH. It is skipped, but it can break other programs.
type ShellNoise struct {
	Host string
	Text string // its beginning, fit for a terminal
}

func (n ShellNoise) String() string {
	return fmt.Sprintf("%s: its shell prints something before or after each command (%q): "+quiet, n.Host, n.Text)
}

// Noise is what the host's shell was found to print, in any command so far.
func Noise(h Host) (ShellNoise, bool) {
	if n, ok := h.(interface{ noise() (ShellNoise, bool) }); ok {
		return n.noise()
	}
	return ShellNoise{}, false
}

// maxNoise is how much of it is remembered, in bytes.
const maxNoise = 200

// noted keeps the first noise of a host.
type noted struct {
	mu   sync.Mutex
	text string
}

func (n *noted) add(noise []byte) {
	noise = bytes.TrimSpace(noise)
	if len(noise) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.text == "" {
		n.text = plain.Line(string(noise[:min(len(noise), maxNoise)]))
	}
}

// endless is the error of a command that never began behind the noise.
func endless(host, what string) error {
	return Errorf(host, "%s: its shell printed more than %d KiB before the command began, so it was ended: "+quiet, what, maxWaiting>>10)
}

func (h *sshHost) hear(noise []byte) { h.heard.add(noise) }

func (h *sshHost) noise() (ShellNoise, bool) {
	h.heard.mu.Lock()
	defer h.heard.mu.Unlock()
	return ShellNoise{h.cfg.Name, h.heard.text}, h.heard.text != ""
}

// begin sets the environment, prints a mark on both outputs and becomes the
// command: what came before was the login shell's. Root runs it, whoever logged in.
const begin = `export LC_ALL=C PATH="$1"; shift; printf '%s\n' "$0"; printf '%s\n' "$0" >&2; exec "$@"`

// marked is argv with a mark before its output, and with that search path.
func marked(argv []string, path string) (with []string, mark string) {
	b := make([]byte, 8)
	rand.Read(b) // never fails
	mark = "quorate-begin-" + hex.EncodeToString(b)
	return append([]string{"sh", "-c", begin, mark, path}, argv...), mark
}

// maxWaiting is how much is read before the mark. A shell that prints more than
// this will not run anything.
const maxWaiting = 256 << 10

// skipper passes on what comes after the mark.
type skipper struct {
	to   io.Writer
	mark []byte // with its line break
	over func() // called once, when more than maxWaiting came before the mark

	mu      sync.Mutex
	waiting []byte // came so far, before the mark
	begun   bool
	full    bool
}

func newSkipper(to io.Writer, mark string, over func()) *skipper {
	return &skipper{to: to, mark: []byte(mark + "\n"), over: over}
}

// Write takes all of p, unless the writer behind does not.
func (s *skipper) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun {
		return s.to.Write(p)
	}
	if s.full {
		return 0, errEnough // so that nobody reads on
	}
	from := max(0, len(s.waiting)-len(s.mark)) // what was there has no mark, but may have its beginning
	s.waiting = append(s.waiting, p...)
	at := bytes.Index(s.waiting[from:], s.mark)
	if at < 0 {
		if len(s.waiting) > maxWaiting {
			s.full, s.waiting = true, s.waiting[:maxNoise]
			s.over()
			return 0, errEnough
		}
		return len(p), nil
	}
	at += from
	rest := s.waiting[at+len(s.mark):]
	s.begun, s.waiting = true, s.waiting[:at]
	if len(rest) > 0 {
		if _, err := s.to.Write(rest); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// errEnough ends the reading of an answer that was given up.
var errEnough = errors.New("the command was ended")

// end is called when nothing more comes: noise is what stood before the mark.
// Without a mark the command did not run; what was printed then says why.
func (s *skipper) end() (noise, instead []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun {
		return s.waiting, nil
	}
	return nil, s.waiting
}
