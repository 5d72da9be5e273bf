package step

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// Run brings services of one host to the wanted configuration and runs them:
// files first, then a start, a restart or a reload, as little as suffices.
type Run struct {
	on
	Set []model.Component
	why string
	// rolls says that a running part of the control plane restarts: one at a
	// time, so that a configuration that does not work harms one only.
	rolls bool
}

// About implements plan.Step.
func (s Run) About() plan.About {
	var names []string
	for _, v := range s.Set {
		names = append(names, v.String())
	}
	about := plan.About{Kind: "run-" + s.Set[0].String(), Host: s.ID, Title: "run " + strings.Join(names, ", "), Why: s.why}
	for _, v := range s.Set {
		about.Seconds = max(about.Seconds, table[v].seconds)
	}
	if s.rolls {
		about.Exclusive = "restart of the control plane"
	}
	return about
}

// why says what is to be done about some services of a host.
func why(have, want *model.Host, set []model.Component) string {
	var whys []string
	for _, v := range set {
		whys = append(whys, differs(have, have.Components[v], want.Components[v], table[v]))
	}
	slices.Sort(whys)
	return strings.Join(slices.Compact(whys), "; ")
}

func differs(have *model.Host, u, w model.ComponentState, t traits) string {
	disk, runs := model.Same(u.Disk, w.Disk), model.Same(u.Running, w.Running)
	switch {
	case u.Disk.Is(""):
		return "not installed"
	case u.Running.Is(""):
		return cmp.Or(u.Running.Why(), "not running")
	case runs && !disk:
		return "file on disk differs (no restart)"
	case !disk:
		return "configuration differs"
	case !runs:
		return "runs with an older configuration"
	}
	said := ""
	if t.wrong != nil {
		said = t.wrong(have)
	}
	return cmp.Or(said, "runs, but does not use what it should")
}

// rolls says whether a step on these services stops what others rely on.
func rolls(have, want *model.Host, set []model.Component) bool {
	return slices.ContainsFunc(set, func(v model.Component) bool {
		return table[v].vital && have.Runs(v) && !model.Same(have.Components[v].Running, want.Components[v].Running)
	})
}

// Need implements plan.Step.
func (s Run) Need(c model.Cluster) error {
	if err := s.prepared(c); err != nil {
		return err
	}
	h := c.Hosts[s.ID]
	for _, v := range s.Set {
		if !table[v].uncertified && !model.Same(h.Certs, s.Want.Certs) {
			return errors.New("its certificates are not issued yet")
		}
		if s.Want.Components[v].Pod {
			if err := s.podReady(h); err != nil {
				return err
			}
		}
		if ready := table[v].ready; ready != nil {
			if err := ready(s, c, h); err != nil {
				return err
			}
		}
	}
	return nil
}

// Effect implements plan.Step.
func (s Run) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		s.halt(h)
		for _, v := range s.Set {
			h.Components[v] = s.Want.Components[v]
			if runs := table[v].runs; runs != nil {
				runs(h, s.Want)
			}
		}
	})
}

// Interim implements plan.Step.
func (s Run) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		s.halt(h)
		for _, v := range s.Set {
			h.Components[v].Disk = model.Unknown[string]("being written")
			if model.Same(h.Components[v].Running, s.Want.Components[v].Running) {
				continue
			}
			if table[v].reloads && h.Runs(v) {
				continue // it never stops to serve
			}
			h.Components[v].Running = model.Is("")
			if stopped := table[v].stopped; stopped != nil {
				stopped(h)
			}
		}
	})
}

// halted are the components that stop before those of the step change.
func (s Run) halted(have *model.Host) (out []model.Component) {
	for _, v := range s.Set {
		if halts := table[v].halts; halts != nil {
			out = append(out, halts(have, s.Want)...)
		}
	}
	return out
}

func (s Run) halt(h *model.Host) {
	for _, v := range s.halted(h) {
		h.Components[v].Running = model.Is("")
		if stopped := table[v].stopped; stopped != nil {
			stopped(h)
		}
	}
}
