package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
)

// watcher follows a run: it shows the events (a live view on a terminal, plain
// lines elsewhere, JSON lines on request), writes the journal, and counts what
// the message at the end must say.
type watcher struct {
	out, errOut io.Writer
	json        bool
	verbose     bool // each replaced file is a line
	cmd         *cobra.Command
	doing, run  string
	journal     *journal

	mu     sync.Mutex
	view   view
	screen screen
	tally  tally
	fails  map[string]engine.Event // of steps that failed and were not done since
	told   map[string]time.Time    // when how far a step is was last told
	well   bool                    // the run ended without an error
	closed bool
	stop   func() // ends the drawing; nil: nothing is drawn
}

// tally is what a run has done so far.
type tally struct {
	steps int
	open  []string // begun, and not seen done
	kept  []step.Kept
}

// close takes a step out of those that are open.
func (t *tally) close(a plan.About) {
	t.open = slices.DeleteFunc(slices.Clone(t.open), func(s string) bool { return s == name(a) })
}

func name(a plan.About) string { return fmt.Sprintf("%s: %s", a.Host, a.Title) }

// watch makes the session's events visible until close.
func (s *session) watch(cmd *cobra.Command, f form, doing string) *watcher {
	w := &watcher{out: cmd.OutOrStdout(), errOut: cmd.ErrOrStderr(), json: f.json(), verbose: isVerbose(cmd), cmd: cmd,
		doing: doing, run: s.engine.Run(),
		journal: openJournal(s.file, s.engine.CA, s.origin), view: view{begun: time.Now()},
		screen: screenOf(cmd.ErrOrStderr()), fails: map[string]engine.Event{}}
	if w.screen.live = w.screen.live && !w.json; w.screen.live {
		w.stop = redraw(&w.mu, func() { w.draw() })
	}
	s.engine.Events = w.on
	w.note(runBegin, strings.TrimSpace(doing+" "+s.file.Metadata.Name), nil)
	return w
}

// on takes one event.
func (w *watcher) on(ev engine.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ev.Kind != engine.Progress {
		w.journal.add(ev)
	}
	switch ev.Kind {
	case engine.StepRun:
		w.tally.close(*ev.Step) // it may be begun again
		w.tally.open = append(w.tally.open, name(*ev.Step))
	case engine.StepDone:
		w.tally.steps++
		w.tally.close(*ev.Step)
		delete(w.fails, ev.Step.Key())
	case engine.StepFail:
		w.fails[ev.Step.Key()] = ev
	case engine.Note:
		if ev.Kept != nil {
			w.tally.kept = append(w.tally.kept, *ev.Kept)
		}
	}
	switch {
	case w.json:
		_ = emit(w.cmd, "", ev) // a reader that went away does not stop the work
	case !w.screen.live && ev.Kind == engine.Progress && !w.due(ev), ev.Kept != nil && !w.verbose:
	case w.screen.live:
		w.draw(w.view.on(ev)...)
	default:
		if l := lineOf(ev); l != "" && ev.Kind != runBegin && ev.Kind != runEnd {
			fmt.Fprintf(w.errOut, "%6.1fs %s\n", time.Since(w.view.begun).Seconds(), l)
		}
	}
}

// progressEvery is how often a step says how far it is, where no live view shows it.
const progressEvery = 10 * time.Second

// due says that it is time to tell again how far a step is.
func (w *watcher) due(ev engine.Event) bool {
	key := ev.Step.Key()
	if w.told == nil {
		w.told = map[string]time.Time{}
	}
	if _, told := w.told[key]; !told {
		w.told[key] = ev.At // a short step says that it is done, no more
		return false
	}
	if ev.At.Sub(w.told[key]) < progressEvery {
		return false
	}
	w.told[key] = ev.At
	return true
}

// draw writes lines that stay, and what runs below them.
func (w *watcher) draw(stay ...string) {
	w.screen.draw(func(width, height int) []string { return w.view.frame(time.Now(), width, height) }, stay...)
}

// end judges how the run ended: a lost lock and an interruption have their own
// words, and what was done and kept goes with the error.
func (w *watcher) end(ctx context.Context, err error) error {
	var lost engine.LockLostError
	switch {
	case err == nil:
		w.note(runEnd, w.doing, nil)
		w.well = true
		return nil
	case errors.As(context.Cause(ctx), &lost):
		err = lost
	case ctx.Err() != nil:
		err = errStopped
	}
	w.note(runEnd, w.doing, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	var failed engine.FailedError
	var unfinished engine.UnfinishedError
	if errors.As(err, &failed); errors.As(err, &unfinished) {
		return ended{err, w.tally} // it names them all
	}
	for key, ev := range w.fails {
		if key != failed.Step.Key() && !w.json && !errors.Is(err, errStopped) {
			fmt.Fprintf(w.errOut, "%s: %s: %s\n", ev.Step.Host, ev.Step.Title, ev.Err)
		}
	}
	return ended{err, w.tally}
}

// note adds an event of the program's own.
func (w *watcher) note(kind, text string, err error) {
	ev := engine.Event{At: time.Now().UTC(), Run: w.run, Kind: kind, Text: text}
	if err != nil {
		ev.Err = err.Error()
	}
	w.on(ev)
}

// close ends the drawing and the journal; that the journal is not complete is
// worth a warning, no more.
func (w *watcher) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.closed = true
	if w.stop != nil {
		w.stop()
		w.draw(w.view.rest()...)
	}
	if w.well && !w.json && !w.verbose {
		for _, l := range keptLines(w.tally.kept) {
			fmt.Fprintln(w.errOut, l)
		}
	}
	if err := w.journal.close(); err != nil {
		fmt.Fprintln(w.errOut, "warning:", err)
	}
}
