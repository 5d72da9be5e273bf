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
	Set  []model.Component
	verb string // start, restart, reload, …
	why  string
	// rolls says that a running part of the control plane restarts: one at a
	// time, so that a configuration that does not work harms one only.
	rolls bool
	// moves says that the virtual address leaves the host: one host at a time.
	moves bool
	// unsaid: kubeadm's configuration in the cluster is not the wanted one yet.
	unsaid bool
}

// About implements plan.Step.
func (s Run) About() plan.About {
	var names []string
	for _, v := range s.Set {
		names = append(names, v.String())
	}
	about := plan.About{Kind: "run-" + s.Set[0].String(), Host: s.ID, Title: cmp.Or(s.verb, "start") + " " + strings.Join(names, ", "),
		Why: s.why}
	for _, v := range s.Set {
		about.Seconds = max(about.Seconds, table[v].seconds)
	}
	switch {
	case s.rolls:
		about.Exclusive = "restart of the control plane"
	case s.moves:
		about.Exclusive = "move of the virtual address"
	}
	return about
}

// verbOf names what happens to some components of a host: the most disturbing
// of what happens to each.
func verbOf(have, want *model.Host, set []model.Component) string {
	verbs := []string{"restart", "start", "reload", "update files of", "wait for"}
	least := len(verbs) - 1
	for _, v := range set {
		h, w := have.Components[v], want.Components[v]
		n := least
		switch runs := model.Same(h.Running, w.Running); {
		case !have.Runs(v):
			n = 1
		case !runs && table[v].reloads && !turns(have, want, v):
			n = 2
		case !runs || turns(have, want, v):
			n = 0
		case !model.Same(h.Disk, w.Disk):
			n = 3
		}
		least = min(least, n)
	}
	return verbs[least]
}

// why says what is to be done about some services of a host.
func why(have, want *model.Host, set []model.Component) string {
	var whys, ends []string
	for _, v := range set {
		whys = append(whys, differs(have, have.Components[v], want.Components[v], table[v]))
		if halts := table[v].halts; halts != nil {
			for _, other := range halts(have, want) {
				ends = append(ends, other.String()+" stops first")
			}
		}
	}
	slices.Sort(whys)
	return strings.Join(append(slices.Compact(whys), slices.Compact(ends)...), "; ")
}

func differs(have *model.Host, u, w model.ComponentState, t traits) string {
	disk, runs := model.Same(u.Disk, w.Disk), model.Same(u.Running, w.Running)
	switch {
	case u.Disk.Is(""):
		return "not installed"
	case u.Running.Is(""):
		return cmp.Or(u.Running.Why(), "not running")
	case runs && !disk:
		return "they differ from the wanted ones, no restart needed"
	case !disk:
		return "configuration changed"
	case !runs:
		return "running with an older configuration"
	}
	said := ""
	if t.wrong != nil {
		said = t.wrong(have)
	}
	return cmp.Or(said, "running, but not with the wanted backends")
}

// rolls says whether a step on these services stops what others rely on.
func rolls(have, want *model.Host, set []model.Component) bool {
	return slices.ContainsFunc(set, func(v model.Component) bool {
		differs := !model.Same(have.Components[v].Running, want.Components[v].Running)
		return have.Runs(v) && (table[v].vital && differs || turns(have, want, v))
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
			return errors.New("its certificates have not been issued yet")
		}
		is, want := h.Components[v], s.Want.Components[v]
		if s.unsaid && want.Pod && h.Runs(v) && is.Disk.Not("") && !model.Same(is.Disk, want.Disk) {
			return errors.New("kubeadm's configuration in the cluster does not say so yet")
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
			same := model.Same(h.Components[v].Running, s.Want.Components[v].Running)
			if !turns(h, s.Want, v) && (same || table[v].reloads && h.Runs(v)) {
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
		ended(h, v)
		if stopped := table[v].stopped; stopped != nil {
			stopped(h)
		}
	}
}

// moves says whether a step on these components ends what may hold the virtual address.
func moves(have, want *model.Host, set []model.Component) bool {
	return slices.ContainsFunc(set, func(v model.Component) bool {
		if table[v].halts == nil {
			return false
		}
		ends := table[v].halts(have, want)
		return slices.Contains(ends, model.Keepalived) || slices.Contains(ends, model.Balancer)
	})
}
