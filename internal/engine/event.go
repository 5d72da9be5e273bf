// Package engine brings a cluster to its file: observe, plan, do the first
// stage, observe until its effects are there, and again. It is the only place
// that waits. It does not print, and knows nothing of what steps really do.
package engine

import (
	"sync/atomic"
	"time"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/units"
)

// Kinds of events.
const (
	Looking  = "looking"  // observing hosts
	Planned  = "planned"  // a plan was made
	StageRun = "stage"    // a stage begins
	StepRun  = "step"     // a step begins
	StepDone = "done"     // a step's effect was seen
	StepFail = "failed"   // a step failed; it is tried again, or the run ends
	Note     = "note"     // something to know, such as where an old file is kept
	Progress = "progress" // how far a long step is
	Finished = "finished" // nothing is left to do
)

// Event is something that happened. It feeds the progress view, the JSON lines
// and the journal alike.
type Event struct {
	At    time.Time     `json:"at"`
	Run   string        `json:"run,omitempty"`
	Kind  string        `json:"kind"`
	Stage int           `json:"stage,omitempty"` // counted from 1
	Of    int           `json:"of,omitempty"`    // stages that the plan has now
	Step  *plan.About   `json:"step,omitempty"`
	Took  units.Seconds `json:"tookSeconds,omitempty"`
	Text  string        `json:"text,omitempty"`
	Kept  *step.Kept    `json:"kept,omitempty"`      // of a note about something that was replaced
	Done  int64         `json:"doneBytes,omitempty"` // of Progress: so much of Total was sent
	Total int64         `json:"totalBytes,omitempty"`
	Err   string        `json:"error,omitempty"`
}

// kept is a note that something was replaced, and where the old one is.
func kept(host model.HostID, path, at string) Event {
	k := step.Kept{Host: host, Path: path, At: at}
	return Event{Kind: Note, Text: k.String(), Kept: &k}
}

// progressEvery is the time between two events about one step.
const progressEvery = time.Second

// progress tells how far a step is, not too often.
func (e *Engine) progress(about plan.About) func(done, total int64) {
	var last atomic.Int64
	return func(done, total int64) {
		now, before := time.Now().UnixNano(), last.Load()
		if now-before >= int64(progressEvery) && last.CompareAndSwap(before, now) {
			e.tell(Event{Kind: Progress, Step: &about, Done: done, Total: total})
		}
	}
}

func (e *Engine) tell(ev Event) {
	ev.At, ev.Run = time.Now().UTC(), e.run
	if e.Events != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.Events(ev)
	}
}
