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
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/units"
)

// UnfinishedError says which hosts could not be reset; the others are.
type UnfinishedError struct {
	Hosts map[model.HostID]error
	Of    int
}

func (u UnfinishedError) Error() string {
	lines := []string{fmt.Sprintf("%d of %d hosts were not reset", len(u.Hosts), u.Of)}
	for _, id := range slices.Sorted(maps.Keys(u.Hosts)) {
		lines = append(lines, fmt.Sprintf("  %s: %s", id, host.Reason(u.Hosts[id], string(id))))
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the errors inside.
func (u UnfinishedError) Unwrap() []error { return slices.Collect(maps.Values(u.Hosts)) }

// longTime bounds the work on one host outside of plans.
const longTime = 15 * time.Minute

// Reset takes everything off the hosts that quorate put there, on all of them
// side by side. A host that fails does not keep the others from it.
func (e *Engine) Reset(ctx context.Context, ids ...model.HostID) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := map[model.HostID]error{}
	e.tell(Event{Kind: StageRun, Stage: 1, Of: 1})
	for _, id := range ids {
		about := plan.About{Kind: "reset", Host: id, Title: "remove quorate's components", Irreversible: true}
		e.tell(Event{Kind: StepRun, Step: &about, Text: about.Title})
		begun := time.Now()
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, longTime)
			defer cancel()
			err := e.sweep(ctx, id)
			if err == nil {
				e.tell(Event{Kind: StepDone, Step: &about, Took: units.Seconds(time.Since(begun))})
				return
			}
			e.tell(Event{Kind: StepFail, Step: &about, Took: units.Seconds(time.Since(begun)), Err: err.Error()})
			mu.Lock()
			defer mu.Unlock()
			failed[id] = err
		})
	}
	wg.Wait()
	if len(failed) > 0 {
		return UnfinishedError{failed, len(ids)}
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
