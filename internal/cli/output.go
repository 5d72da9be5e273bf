package cli

import (
	"io"
	"os"
	"sync"
	"unicode/utf8"

	"quorate.dev/quorate/internal/plain"
)

// plainWriter passes text on to a terminal or a file. What hosts say ends up in
// many messages; this is the one place that all of them pass, so that none can
// move the cursor or rewrite what stands there.
type plainWriter struct {
	to      io.Writer
	colours bool
	mu      sync.Mutex
	rest    []byte // a character whose end has not been written yet
}

// Write takes all of p; the error is that of the writer behind.
func (w *plainWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := append(w.rest, p...)
	whole := len(text) - begunRune(text)
	w.rest = append([]byte(nil), text[whole:]...)
	said := plain.Text(string(text[:whole]))
	if w.colours {
		said = colour(said)
	}
	if _, err := io.WriteString(w.to, said); err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush writes what waits for its end.
func (w *plainWriter) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = io.WriteString(w.to, plain.Text(string(w.rest))) // nobody is left to hear of an error
	w.rest = nil
}

// begunRune is how many bytes at the end of p are the beginning of a character.
func begunRune(p []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(p); n++ {
		if b := p[len(p)-n]; utf8.RuneStart(b) {
			if utf8.FullRune(p[len(p)-n:]) {
				return 0
			}
			return n
		}
	}
	return 0
}

// unfiltered is the writer behind w, for the program's own cursor movements and
// for bytes that are not ours to change.
func unfiltered(w io.Writer) io.Writer {
	if p, ok := w.(*plainWriter); ok {
		return p.to
	}
	return w
}

// terminalOf is the file behind w, if there is one.
func terminalOf(w io.Writer) (*os.File, bool) {
	f, ok := unfiltered(w).(*os.File)
	return f, ok
}
