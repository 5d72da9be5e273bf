package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/step"
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
	if err := e.onAll(ctx, 1, 1, "reset", "take quorate's things off", ids, e.sweep); err != nil {
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
