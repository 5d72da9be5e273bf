package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
)

const (
	// steadyTime is for how long nothing new begins while an API server or a
	// member of etcd that served does not: it may be slow for a moment, and what is
	// harmless without it would make what was agreed to a risk once it is back.
	steadyTime = time.Minute
	// steadyPause is the time between two looks meanwhile.
	steadyPause = 2 * time.Second
)

// steady are the API servers and members of etcd that have served in this run;
// with the time since when they do not, zero while they do.
type steady map[served]time.Time

type served struct {
	host model.HostID
	what model.Component
}

func (s served) String() string {
	if s.what == model.Etcd {
		return string(s.host) + "'s member of etcd"
	}
	return string(s.host) + "'s API server"
}

// now says whether it serves, and whether it has been stopped or has left.
func (s served) now(h model.Host) (serves, gone bool) {
	gone = h.Up() && h.Components[s.what].Running.Is("")
	if s.what == model.Etcd {
		return h.Up() && h.Etcd.Healthy.Is(true) && h.Etcd.Member.Is(model.Voter),
			gone || h.Etcd.Member.Known() && !h.Etcd.Member.Is(model.Voter)
	}
	return h.Up() && h.Ready.Is(true), gone
}

// late is what served and does not, though no step stops it, and has not been so
// for long. What was stopped is not waited for.
func (s steady) late(have model.Cluster, stops func(model.HostID, model.Cluster) bool, now time.Time) (late []served) {
	for _, id := range have.IDs() {
		h := have.Hosts[id]
		for _, v := range []model.Component{model.APIServer, model.Etcd} {
			at := served{id, v}
			since, was := s[at]
			serves, gone := at.now(h)
			switch {
			case serves:
				s[at] = time.Time{}
			case !was || stops(id, have):
			case gone:
				delete(s, at)
			case since.IsZero():
				s[at], late = now, append(late, at)
			case now.Sub(since) < steadyTime:
				late = append(late, at)
			}
		}
	}
	return late
}

// holds says that nothing may begin now, and tells for what once nothing else is
// at work.
func (w *work) holds(have model.Cluster) bool {
	late := w.steady.late(have, w.stops, time.Now())
	if len(late) > 0 && len(w.active) == 0 && !w.waits {
		var names []string
		for _, l := range late {
			names = append(names, l.String())
		}
		w.tell(Event{Kind: Note, Text: fmt.Sprintf("no answer in time from %s; no step begins for up to %s unless that is back",
			strings.Join(names, ", "), steadyTime)})
	}
	w.waits = len(late) > 0 && (w.waits || len(w.active) == 0)
	return len(late) > 0
}

// lookAgain looks at all hosts, after a pause.
func (w *work) lookAgain(ctx context.Context) (*observe.Observation, error) {
	if err := pause(ctx, steadyPause); err != nil {
		return nil, err
	}
	return w.eyes.Glance(ctx, false)
}
