package step

import (
	"context"
	"slices"

	"quorate.dev/quorate/internal/addon"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// Mark leaves the cluster's mark on a host that others have set up: whose it is,
// and that its etcd has begun. It comes with the first change of the cluster.
type Mark struct{ on }

// About implements plan.Step.
func (s Mark) About() plan.About {
	return plan.About{Kind: "mark", Host: s.ID, Title: "mark as a host of the cluster", Why: "it was adopted; nothing else is changed by this"}
}

// Need implements plan.Step.
func (s Mark) Need(c model.Cluster) error { return s.reach(c) }

// Effect implements plan.Step.
func (s Mark) Effect(c *model.Cluster) {
	c.Edit(s.ID, marked)
}

func marked(h *model.Host) {
	h.Marked, h.Clean = model.Is(true), model.Is(false)
	if h.Etcd.Data.Is(true) {
		h.Etcd.Bootstrapped = model.Is(true)
	}
}

// Interim implements plan.Step: the mark is there or not.
func (s Mark) Interim(*model.Cluster) {}

// Do implements Action.
func (s Mark) Do(ctx context.Context, e Env) error { return write(ctx, e, s.marks(e)) }

// marks are the files of a host that say so. The mark itself goes last.
func (o on) marks(e Env) (files []host.File) {
	own := e.Goal.Layout.Own
	if e.Have.Hosts[o.ID].Etcd.Data.Is(true) {
		files = append(files, host.File{Path: own.Bootstrapped, Mode: 0o644})
	}
	return append(files, host.File{Path: own.Marker, Content: []byte(e.Goal.Want.Name + "\n"), Mode: 0o644})
}

// mark proposes it for all hosts of an adopted cluster that have something of a
// cluster on them; a new one gets its mark with its settings.
func mark(have, want model.Cluster) (out []plan.Step) {
	for _, id := range have.IDs() {
		h := have.Hosts[id]
		if w, wanted := want.Hosts[id]; h.Marked.Is(false) && (!wanted || model.Same(h.System, w.System)) && (wanted || h.Clean.Is(false)) {
			out = append(out, Mark{hostOf(want, id)})
		}
	}
	return out
}

// firstChange holds back what makes an adopted cluster quorate's (the marks, its
// bindings, its file) until something else is to be changed.
func firstChange(rules ...plan.Rule) plan.Rule {
	return func(have, want model.Cluster) (out []plan.Step) {
		for _, rule := range append(slices.Clone(rules), mark) {
			out = append(out, rule(have, want)...)
		}
		if !want.Adopted || have.Addons[goal.ClusterAddon].Not(model.Installed{}) {
			return out
		}
		if marked := slices.ContainsFunc(have.IDs(), func(id model.HostID) bool { return have.Hosts[id].Marked.Is(true) }); marked {
			return out
		}
		if slices.ContainsFunc(out, func(s plan.Step) bool { return !comesAlong(s) && !plan.Done(s, have) }) {
			return out
		}
		return nil
	}
}

func comesAlong(s plan.Step) bool {
	switch s := s.(type) {
	case Mark:
		return true
	case Addon:
		return s.Name == goal.ClusterAddon || s.Name == addon.AddonRBAC
	}
	return false
}
