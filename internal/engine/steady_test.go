package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"quorate.dev/quorate/internal/model"
)

// The API server of a host that leaves does not answer for a while. Were it
// taken out of the load balancers at once, the restart of another one would be a
// risk that nobody agreed to: it is waited for, but not for ever.
func TestSteady(t *testing.T) {
	for _, c := range []struct {
		silent time.Duration
		fails  bool
	}{{0, false}, {steadyTime / 2, false}, {time.Hour, true}} {
		synctest.Test(t, func(t *testing.T) {
			w := simulated(1, "cp1 cp2 cp3", "cp2 cp3")
			for _, id := range w.truth.IDs() {
				w.truth.Edit(id, func(h *model.Host) {
					if h.Roles.Has(model.ControlPlane) {
						h.Components[model.APIServer].Running = model.Is("older")
					}
				})
			}
			e := &Engine{eyes: w, rules: w.rules(), Events: func(ev Event) {
				if ev.Kind == StepRun && ev.Step.Kind == "certs" { // once they have been seen to serve
					w.until = time.Now().Add(c.silent)
				}
			}}
			w.late = "cp1"
			p, _, err := e.Plan(t.Context())
			if err != nil || p.Empty() {
				t.Fatal(p.Text(), err)
			}
			if err = e.Apply(t.Context(), p); (err != nil) != c.fails {
				t.Errorf("cp1 is silent for %s: %v", c.silent, err)
			}
		})
	}
}
