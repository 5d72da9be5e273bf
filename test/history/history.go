// Package history judges what a probe's operations saw: whether there is an
// order of all of them, each at one moment between its call and its return, in
// which every read finds what was written last. Lost writes, stale reads and
// two clusters that both answer leave no such order. The search is porcupine's.
// It records nothing and knows nothing of clusters; what it could not decide in
// time it does not call good.
package history

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"quorate.dev/quorate/internal/prober"
)

// Verdict is what can be said of a history.
type Verdict int

// Verdicts. Only Linearizable is good.
const (
	Undecided Verdict = iota // not within the time
	Linearizable
	Violated
)

func (v Verdict) String() string { return [...]string{"undecided", "linearizable", "VIOLATED"}[v] }

// Result is a verdict and what it rests on.
type Result struct {
	Verdict Verdict
	Ops     int // that took part
	Open    int // of them writes that nobody knows the end of, and that were seen
	Keys    int
	Took    time.Duration
	Why     string // of a verdict that is not good: the operations to look at
}

func (r Result) String() string {
	s := fmt.Sprintf("history: %s: %d operations on %d keys, %d of them seen without an answer, checked in %s", r.Verdict, r.Ops, r.Keys,
		r.Open, r.Took.Round(time.Millisecond))
	if r.Why != "" {
		s += "\n" + r.Why
	}
	return s
}

// Check judges the operations of one probe, key by key, within a time limit.
func Check(ops []prober.Op, limit time.Duration) Result {
	begun := time.Now()
	keys := map[string][]prober.Op{}
	for _, op := range ops {
		keys[op.Key] = append(keys[op.Key], op)
	}
	r := Result{Verdict: Linearizable, Keys: len(keys)}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		part := partaking(keys[key])
		r.Ops += len(part)
		for _, op := range part {
			if op.Outcome == prober.Unknown {
				r.Open++
			}
		}
		// A violation of a later key outweighs what could not be decided of this one.
		switch check(part, limit-time.Since(begun)) {
		case porcupine.Illegal:
			r.Verdict, r.Why, r.Took = Violated, "key "+key+":\n"+explain(part, limit), time.Since(begun)
			return r
		case porcupine.Unknown:
			r.Verdict, r.Why = Undecided, fmt.Sprintf("key %s: no decision on %d operations within %s", key, len(part), limit)
		}
	}
	r.Took = time.Since(begun)
	return r
}

// partaking are the operations that say something. A read without an answer
// says nothing, nor does a write that had no effect. A write without an answer
// that no read found may have happened after all of them, so that any order of
// the others is an order with it too: values are written once.
func partaking(ops []prober.Op) []prober.Op {
	seen := map[string]bool{}
	for _, op := range ops {
		if !op.Write && op.Outcome == prober.Done {
			seen[op.Value] = true
		}
	}
	var out []prober.Op
	for _, op := range ops {
		if op.Outcome == prober.Done || op.Write && op.Outcome == prober.Unknown && seen[op.Value] {
			out = append(out, op)
		}
	}
	slices.SortStableFunc(out, func(a, b prober.Op) int { return int(a.Call - b.Call) })
	return out
}

// model is a register that holds "" at first.
var model = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, in, _ any) (bool, any) {
		if op := in.(prober.Op); op.Write {
			return true, op.Value
		} else {
			return op.Value == state, state
		}
	},
}

func check(ops []prober.Op, limit time.Duration) porcupine.CheckResult {
	if limit <= 0 {
		return porcupine.Unknown
	}
	var all []porcupine.Operation
	for _, op := range ops {
		end := int64(op.Return)
		if op.Outcome == prober.Unknown {
			end = math.MaxInt64
		}
		all = append(all, porcupine.Operation{Input: op, Call: int64(op.Call), Return: end})
	}
	return porcupine.CheckOperationsTimeout(model, all, limit)
}

// explain finds the answer at which it became impossible, and tells what came
// before it.
func explain(ops []prober.Op, limit time.Duration) string {
	var ends []time.Duration
	for _, op := range ops {
		if op.Outcome == prober.Done {
			ends = append(ends, op.Return)
		}
	}
	slices.Sort(ends)
	i, _ := slices.BinarySearchFunc(ends, true, func(end time.Duration, _ bool) int {
		if check(until(ops, end), limit) == porcupine.Illegal {
			return 0
		}
		return -1
	})
	if i == len(ends) {
		return "it could not be found where it broke"
	}
	told := until(ops, ends[i])
	told = told[max(0, len(told)-12):]
	var b strings.Builder
	for _, op := range told {
		what, mark := "reads ", ""
		if op.Write {
			what = "writes"
		}
		if op.Outcome == prober.Done && op.Return == ends[i] {
			mark = "   <- with this answer no order is left"
		}
		fmt.Fprintf(&b, "  %9.3f … %9.3f s  client %d %s %q, %s%s\n", op.Call.Seconds(), op.Return.Seconds(), op.Client, what, op.Value,
			op.Outcome, mark)
	}
	return strings.TrimRight(b.String(), "\n")
}

// until is the history as it was known at a moment.
func until(ops []prober.Op, end time.Duration) []prober.Op {
	var out []prober.Op
	for _, op := range ops {
		if op.Call > end {
			continue
		}
		if op.Outcome == prober.Done && op.Return > end {
			op.Outcome = prober.Unknown
		}
		out = append(out, op)
	}
	return partaking(out)
}
