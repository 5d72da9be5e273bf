package engine

import (
	"context"
	"errors"
	"maps"
	"slices"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
)

// gaveUp are hosts on which a step failed too often, and why. Nothing more is
// begun there in this run; the others go on without them.
type gaveUp map[model.HostID]error

// take gives a host up for a failure that would end the run, if nobody else
// depends on that host: a worker must not keep control planes from anything.
func (g gaveUp) take(have model.Cluster, about plan.About, fatal error) bool {
	if fatal == nil || have.IsCritical(about.Host) || errors.Is(fatal, context.Canceled) || errors.Is(fatal, step.ErrHeld) {
		return false
	}
	if _, known := have.Hosts[about.Host]; !known {
		return false
	}
	if g[about.Host] == nil {
		g[about.Host] = fatal
	}
	return true
}

// leaveOut marks these hosts in what was seen, so that no step is proposed there.
func (g gaveUp) leaveOut(have *model.Cluster) {
	for id := range g {
		have.Edit(id, func(h *model.Host) { h.LeftOut = "a step failed too often there" })
	}
}

// err is why the hosts were given up; nil when none was.
func (g gaveUp) err() error {
	var all []error
	for _, id := range slices.Sorted(maps.Keys(g)) {
		all = append(all, g[id])
	}
	return errors.Join(all...)
}
