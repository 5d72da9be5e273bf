package step_test

import (
	"testing"

	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
)

func TestTry(t *testing.T) {
	w := want("cp1 cp2 cp3", "w1 w2")
	t.Log("CREATE\n" + show(plan.Make(fresh(w, nothing()), w, step.Rules())))
	t.Log("GROW\n" + show(plan.Make(fresh(w, made("cp1", "w1 w2")), w, step.Rules())))
	w = want("cp1", "w1 w2")
	t.Log("SHRINK\n" + show(plan.Make(fresh(w, made("cp1 cp2 cp3", "w1 w2")), w, step.Rules())))
	w = want("cp1 cp2 cp4", "w1 w2")
	t.Log("REPLACE\n" + show(plan.Make(fresh(w, made("cp1 cp2 cp3", "w1 w2")), w, step.Rules())))
}
