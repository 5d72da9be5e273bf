package step_test

import (
	"testing"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/step/steptest"
)

// A host with data of its own, or maybe with some, is not added as a learner: it
// would start with that.
func TestLearnerHasNoData(t *testing.T) {
	want := steptest.Want("cp1 cp2 cp3", "")
	have := steptest.Fresh(want, steptest.Made("cp1", ""))
	for _, stage := range plan.Make(have, want, step.Rules()).Stages {
		for _, s := range stage.Steps {
			if s.About().Kind != "add-learner" {
				continue
			}
			id := s.About().Host
			for _, c := range []struct {
				data model.Known[bool]
				adds bool
			}{{model.Is(false), true}, {model.Is(true), false}, {model.Unknown[bool]("it was not asked"), false}} {
				is := have.Clone()
				is.Edit(id, func(h *model.Host) { h.Etcd.Data = c.data })
				if err := s.Need(is); (err == nil) != c.adds {
					t.Errorf("%s has data: %v; it is added: %v", id, c.data, err)
				}
			}
			return
		}
		for _, s := range stage.Steps {
			s.Effect(&have)
		}
	}
	t.Fatal("no learner is added")
}
