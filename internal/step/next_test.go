package step_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/step/steptest"
)

// TestNext lets steps begin and end in any order, as the engine does: it comes
// to the goal, and what it did not declare does not happen.
func TestNext(t *testing.T) {
	for _, ch := range changes {
		t.Run(ch.name, func(t *testing.T) {
			t.Parallel()
			w := steptest.WantBy(ch.ways, ch.to, ch.w)
			declared := plan.Make(start(ch.was, ch.cps, ch.workers, w), w, step.Rules()).Risk()
			for seed := range uint64(24 / parts) {
				if err := walk(rand.New(rand.NewPCG(seed, 7)), start(ch.was, ch.cps, ch.workers, w), w, declared); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
		})
	}
}

func walk(r *rand.Rand, truth, w model.Cluster, declared plan.Risk) error {
	var running []plan.Step
	var story []string
	for range 2000 {
		next, refused := plan.Next(truth, w, step.Rules(), running)
		if next.Risk > declared {
			return fmt.Errorf("%v: a stage of risk %s, of %s at most", story, next.Risk, declared)
		}
		before := truth.Health()
		for _, s := range next.Steps {
			if s.Need(truth) != nil {
				return fmt.Errorf("%v: %s begins though %w", story, s.About().Key(), s.Need(truth))
			}
			s.Interim(&truth)
			story = append(story, "+"+s.About().Key())
		}
		running = append(running, next.Steps...)
		if len(running) == 0 {
			if len(refused) > 0 || !satisfied(truth, w) {
				return fmt.Errorf("%v: it ends, and lacks %s", story, missing(truth, w))
			}
			return nil
		}
		half := truth.Health()
		ends := []plan.Step{running[r.IntN(len(running))]}
		if founds := func(s plan.Step) bool { return s.About().Kind == "run-etcd" && !truth.Bootstrapped() }; founds(ends[0]) {
			// None of those who found etcd is ready alone.
			ends = slices.DeleteFunc(slices.Clone(running), func(s plan.Step) bool { return !founds(s) })
		}
		was := truth.Clone()
		for _, s := range ends {
			s.Effect(&truth)
			story = append(story, "-"+s.About().Key())
			running = slices.DeleteFunc(running, func(o plan.Step) bool { return o.About().Key() == s.About().Key() })
		}
		truth = atBirth(was, truth, w)
		for _, now := range []model.Health{half, truth.Health()} {
			if next.Risk < plan.Outage && (before.Etcd && !now.Etcd || before.API && !now.API || len(before.Stranded) < len(now.Stranded)) {
				return fmt.Errorf("%v: an outage:\n%+v\n%+v", story, before, now)
			}
		}
	}
	return fmt.Errorf("it does not end: %v", story[:100])
}
