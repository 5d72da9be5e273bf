package step_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
)

// BenchmarkPlan5Hosts plans from random states of up to five hosts and more.
func BenchmarkPlan5Hosts(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	for b.Loop() {
		have, w := chaos(r)
		plan.Make(have, w, step.Rules())
	}
}

// Benchmark1000 plans the creation of 5 control planes and 995 workers.
func Benchmark1000(b *testing.B) {
	var workers []string
	for i := range 995 {
		workers = append(workers, fmt.Sprintf("w%03d", i))
	}
	w := want("cp1 cp2 cp3 cp4 cp5", strings.Join(workers, " "))
	have := fresh(w, nothing())
	b.ReportAllocs()
	for b.Loop() {
		if p := plan.Make(have, w, step.Rules()); len(p.Blocked)+len(p.Deferred) > 0 || !satisfied(p.Last(), w) {
			b.Fatal(p.Text())
		}
	}
}
