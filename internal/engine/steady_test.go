package engine

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"quorate.dev/quorate/internal/model"
)

// An API server that leaves does not answer for a while, or etcd's list of
// members cannot be read. Were the one that leaves taken out of the load balancers
// then, the restart of another would be a risk that nobody agreed to: what is late
// is waited for, but not for ever.
func TestSteady(t *testing.T) {
	for name, late := range map[string]func(*model.Cluster){
		"an API server": func(c *model.Cluster) { c.Edit("cp1", func(h *model.Host) { h.Ready = model.Is(false) }) },
		"etcd's list of members": func(c *model.Cluster) {
			for _, id := range c.Critical() {
				c.Edit(id, func(h *model.Host) { h.Etcd.Member = model.Unknown[model.Member]("late") })
			}
		},
	} {
		for _, silent := range []time.Duration{0, steadyTime / 2, time.Hour} {
			t.Run(fmt.Sprintf("%s for %s", name, silent), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { lateFor(t, silent, late) })
			})
		}
	}
}

func lateFor(t *testing.T, silent time.Duration, late func(*model.Cluster)) {
	w := simulated(1, "cp1 cp2 cp3", "cp2 cp3")
	for _, id := range w.truth.IDs() {
		w.truth.Edit(id, func(h *model.Host) {
			if h.Roles.Has(model.ControlPlane) {
				h.Components[model.APIServer].Running = model.Is("older")
			}
		})
	}
	waited := false
	e := &Engine{eyes: w, rules: w.rules(), Events: func(ev Event) {
		if ev.Kind == StepRun && ev.Step.Kind == "certs" { // once they have been seen to serve
			w.until = time.Now().Add(silent)
		}
		waited = waited || strings.Contains(ev.Text, "no answer in time from")
	}}
	w.late = late
	p, _, err := e.Plan(t.Context())
	if err != nil || p.Empty() {
		t.Fatal(p.Text(), err)
	}
	if err = e.Apply(t.Context(), p); (err != nil) != (silent > steadyTime) {
		t.Error(err)
	}
	if waited != (silent > 0) {
		t.Errorf("waited: %t", waited)
	}
}
