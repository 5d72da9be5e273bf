package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/units"
)

// UnfinishedError says on which hosts something failed; on the others it is done.
type UnfinishedError struct {
	What  string // "were not reset"
	Hosts map[model.HostID]error
	Of    int
}

func (u UnfinishedError) Error() string {
	lines := []string{fmt.Sprintf("%d of %d hosts %s", len(u.Hosts), u.Of, u.What)}
	for _, id := range slices.Sorted(maps.Keys(u.Hosts)) {
		text := u.Hosts[id].Error()
		if !strings.HasPrefix(text, string(id)+":") && !strings.HasPrefix(text, string(id)+" ") {
			text = string(id) + ": " + text
		}
		lines = append(lines, "  "+text)
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the errors inside.
func (u UnfinishedError) Unwrap() []error { return slices.Collect(maps.Values(u.Hosts)) }

// Reset takes everything off the hosts that quorate put there, on all of them
// side by side. A host that cannot be reached does not keep the others from it.
func (e *Engine) Reset(ctx context.Context, ids ...model.HostID) error {
	if err := e.onAll(ctx, 1, 1, "reset", "remove quorate's components", ids, e.sweep); err != nil {
		var u UnfinishedError
		if errors.As(err, &u) {
			u.What = "were not reset"
			err = u
		}
		return err
	}
	e.tell(Event{Kind: Finished, Text: "nothing of the cluster is left on its hosts"})
	return nil
}

func (e *Engine) sweep(ctx context.Context, id model.HostID) error {
	h, ok := e.observer.Hosts[id]
	if !ok {
		return errors.New("it is not connected")
	}
	swept, err := step.Sweep(ctx, h, goal.LayoutOf(e.observer.File), e.observer.File.Metadata.Name)
	if swept.Kept != "" {
		e.tell(kept(id, step.SweptFiles, swept.Kept))
	}
	for _, l := range swept.Left {
		e.tell(Event{Kind: Note, Text: fmt.Sprintf("%s: left %s", id, l)})
	}
	return err
}

// longTime bounds the work on one host outside of plans.
const longTime = 15 * time.Minute

// onAll does one thing on some hosts side by side, as a stage of its own. A host
// that fails does not keep the others from it.
func (e *Engine) onAll(ctx context.Context, stage, of int, kind, title string, ids []model.HostID,
	do func(context.Context, model.HostID) error) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := map[model.HostID]error{}
	e.tell(Event{Kind: StageRun, Stage: stage, Of: of})
	for _, id := range ids {
		about := plan.About{Kind: kind, Host: id, Title: title, Irreversible: kind == "reset"}
		e.tell(Event{Kind: StepRun, Step: &about, Text: about.Title})
		begun := time.Now()
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx, cancel := context.WithTimeout(ctx, longTime)
			defer cancel()
			err := do(ctx, id)
			if err == nil {
				e.tell(Event{Kind: StepDone, Step: &about, Took: units.Seconds(time.Since(begun))})
				return
			}
			e.tell(Event{Kind: StepFail, Step: &about, Took: units.Seconds(time.Since(begun)), Err: err.Error()})
			mu.Lock()
			defer mu.Unlock()
			failed[id] = err
		}()
	}
	wg.Wait()
	if len(failed) > 0 {
		return UnfinishedError{"failed to " + title, failed, len(ids)}
	}
	return nil
}
