package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"quorate.dev/quorate/internal/plain"
)

// screen draws lines at the end of a terminal, and again over them. Of a writer
// that is no terminal, live is false and nothing must be drawn.
type screen struct {
	out   io.Writer
	live  bool
	fd    int
	drawn int // lines that the next drawing replaces
}

func screenOf(out io.Writer) screen {
	if f, ok := terminalOf(out); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		return screen{out: out, live: true, fd: int(f.Fd())}
	}
	return screen{out: out}
}

// draw writes lines that stay, and below them those of frame, which is told how
// many columns and lines there are.
func (s *screen) draw(frame func(width, height int) []string, stay ...string) {
	width, height, err := term.GetSize(s.fd)
	if err != nil {
		width, height = 80, 24
	}
	below := frame(width, height)
	if len(stay) == 0 && len(below) == 0 && s.drawn == 0 {
		return
	}
	var b strings.Builder
	if s.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", s.drawn)
	}
	for _, l := range append(stay, below...) {
		l = plain.Line(l)
		if p, ok := s.out.(*plainWriter); ok && p.colours {
			l = colour(l)
		}
		b.WriteString(l + "\n")
	}
	s.drawn = len(below)
	io.WriteString(unfiltered(s.out), b.String())
}

// redraw draws again and again, holding mu, until stop is called by who holds it.
func redraw(mu *sync.Mutex, draw func()) (stop func()) {
	ticker, quit, stopped := time.NewTicker(200*time.Millisecond), make(chan struct{}), false
	go func() {
		for {
			select {
			case <-quit:
				return
			case <-ticker.C:
				mu.Lock()
				if !stopped { // while it waited for the lock
					draw()
				}
				mu.Unlock()
			}
		}
	}()
	return func() { stopped = true; ticker.Stop(); close(quit) }
}
