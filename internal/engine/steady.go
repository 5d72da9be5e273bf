package engine

import (
	"context"
	"fmt"
	"time"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
)

const (
	// steadyTime is for how long nothing new begins while an API server that
	// served does not: it may be slow for a moment, and what is harmless without
	// it would make what was agreed to a risk once it is back.
	steadyTime = time.Minute
	// steadyPause is the time between two looks meanwhile.
	steadyPause = 2 * time.Second
)

// steady are the hosts whose API server has served in this run; with the time
// since when it does not, zero while it does.
type steady map[model.HostID]time.Time

// waits says that an API server that served does not, though no step stops it,
// and has not been so for long; missed are those of which that is new. One that was
// stopped is not waited for.
func (s steady) waits(have model.Cluster, stops func(model.HostID, model.Cluster) bool, now time.Time) (waits bool, missed []model.HostID) {
	for _, id := range have.IDs() {
		h := have.Hosts[id]
		since, served := s[id]
		switch {
		case h.Up() && h.Ready.Is(true):
			s[id] = time.Time{}
		case !served || stops(id, have):
		case h.Up() && !h.Runs(model.APIServer):
			delete(s, id)
		case since.IsZero():
			s[id], waits, missed = now, true, append(missed, id)
		case now.Sub(since) < steadyTime:
			waits = true
		}
	}
	return waits, missed
}

// holds says that nothing may begin now, and tells for whom.
func (w *work) holds(have model.Cluster) bool {
	waits, missed := w.steady.waits(have, w.stops, time.Now())
	for _, id := range missed {
		w.tell(Event{Kind: Note, Text: fmt.Sprintf("%s: its API server does not answer; no step begins for up to %s unless it is back",
			id, steadyTime)})
	}
	return waits
}

// lookAgain looks at all hosts, after a pause.
func (w *work) lookAgain(ctx context.Context) (*observe.Observation, error) {
	if err := pause(ctx, steadyPause); err != nil {
		return nil, err
	}
	return w.eyes.Glance(ctx, false)
}
