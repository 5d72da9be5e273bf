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

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
)

// resetTime bounds the work on one host; old etcd data may have to be copied to
// another disk.
const resetTime = 15 * time.Minute

// Unfinished says on which hosts a reset failed; the others are done.
type Unfinished struct {
	Hosts map[model.HostID]error
	Of    int
}

func (u Unfinished) Error() string {
	lines := []string{fmt.Sprintf("%d of %d hosts were not reset", len(u.Hosts), u.Of)}
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
func (u Unfinished) Unwrap() []error { return slices.Collect(maps.Values(u.Hosts)) }

// Reset takes everything off the hosts that quorate put there, on all of them
// side by side. A host that cannot be reached does not keep the others from it.
func (e *Engine) Reset(ctx context.Context, ids ...model.HostID) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := map[model.HostID]error{}
	e.tell(Event{Kind: StageRun, Stage: 1, Of: 1})
	for _, id := range ids {
		about := plan.About{Kind: "reset", Host: id, Title: "take quorate's things off", Final: true}
		e.tell(Event{Kind: StepRun, Step: &about, Text: about.Title})
		begun := time.Now()
		wg.Add(1)
		go func() {
			defer wg.Done()
			err := e.sweep(ctx, id)
			if err == nil {
				e.tell(Event{Kind: StepDone, Step: &about, Took: time.Since(begun)})
				return
			}
			e.tell(Event{Kind: StepFail, Step: &about, Took: time.Since(begun), Err: err.Error()})
			mu.Lock()
			defer mu.Unlock()
			failed[id] = err
		}()
	}
	wg.Wait()
	if len(failed) > 0 {
		return Unfinished{failed, len(ids)}
	}
	e.tell(Event{Kind: Finished, Text: "nothing of the cluster is left on its hosts"})
	return nil
}

func (e *Engine) sweep(ctx context.Context, id model.HostID) error {
	h, ok := e.observer.Hosts[id]
	if !ok {
		return errors.New("it is not connected")
	}
	ctx, cancel := context.WithTimeout(ctx, resetTime)
	defer cancel()
	says, err := step.Sweep(ctx, h, e.observer.File.Metadata.Name)
	for _, s := range says {
		e.tell(Event{Kind: Note, Text: fmt.Sprintf("%s: %s", id, s)})
	}
	return err
}
