package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/prober"
)

func write(client int, call, ret time.Duration, value string) prober.Op {
	return prober.Op{Client: client, Write: true, Key: "k", Value: value, Call: call, Return: ret, Outcome: prober.Done}
}

func read(client int, call, ret time.Duration, value string) prober.Op {
	return prober.Op{Client: client, Key: "k", Value: value, Call: call, Return: ret, Outcome: prober.Done}
}

func but(op prober.Op, o prober.Outcome) prober.Op {
	op.Outcome = o
	return op
}

func on(key string, op prober.Op) prober.Op {
	op.Key = key
	return op
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name string
		ops  []prober.Op
		want Verdict
		says string // of what is violated: the answer that cannot be
	}{
		{"nothing", nil, Linearizable, ""},
		{"one after the other", []prober.Op{read(1, 0, 1, ""), write(2, 2, 3, "a"), read(3, 4, 5, "a"), write(4, 6, 7, "b"),
			read(5, 8, 9, "b")}, Linearizable, ""},
		{"a read beside a write finds the old", []prober.Op{write(1, 0, 1, "a"), write(2, 2, 9, "b"), read(3, 3, 4, "a"),
			read(4, 10, 11, "b")}, Linearizable, ""},
		{"a read beside a write finds the new", []prober.Op{write(1, 0, 1, "a"), write(2, 2, 9, "b"), read(3, 3, 4, "b")}, Linearizable, ""},
		{"two writes at once, either may be last", []prober.Op{write(1, 0, 5, "a"), write(2, 0, 5, "b"), read(3, 6, 7, "a")}, Linearizable, ""},
		{"a write timed out and had its effect much later", []prober.Op{write(1, 0, 1, "a"), but(write(2, 2, 3, "b"), prober.Unknown),
			read(3, 4, 5, "a"), read(4, 100, 101, "b")}, Linearizable, ""},
		{"a write timed out and had none", []prober.Op{write(1, 0, 1, "a"), but(write(2, 2, 3, "b"), prober.Unknown), read(3, 4, 5, "a")},
			Linearizable, ""},
		{"a read timed out", []prober.Op{write(1, 0, 1, "a"), but(read(2, 2, 3, ""), prober.Unknown), read(3, 4, 5, "a")}, Linearizable, ""},
		{"a refused write", []prober.Op{write(1, 0, 1, "a"), but(write(2, 2, 3, "b"), prober.Refused), read(3, 4, 5, "a")}, Linearizable, ""},
		{"keys do not concern each other", []prober.Op{write(1, 0, 1, "a"), on("l", read(2, 2, 3, ""))}, Linearizable, ""},

		{"a lost write", []prober.Op{write(1, 0, 1, "a"), write(2, 2, 3, "b"), read(3, 4, 5, "a")}, Violated, `client 3 reads  "a"`},
		{"the only write is lost", []prober.Op{write(1, 0, 1, "a"), read(2, 2, 3, "")}, Violated, `client 2 reads  ""`},
		{"a stale read", []prober.Op{write(1, 0, 1, "a"), write(2, 2, 3, "b"), read(3, 4, 5, "b"), read(4, 6, 7, "a"), read(5, 8, 9, "b")},
			Violated, `client 4 reads  "a"`},
		{"a stale read that began after another had seen the new",
			[]prober.Op{write(1, 0, 1, "a"), write(2, 2, 20, "b"), read(3, 3, 4, "b"), read(4, 5, 6, "a")}, Violated, `client 4 reads  "a"`},
		{"a split brain: each side sees its own", []prober.Op{write(1, 0, 1, "a"), write(2, 2, 3, "b"), read(3, 4, 5, "a"),
			read(4, 4, 5, "b"), write(5, 6, 7, "c"), read(6, 8, 9, "c"), read(7, 10, 11, "b")}, Violated, "k"},
		{"a write that timed out comes and goes", []prober.Op{write(1, 0, 1, "a"), but(write(2, 2, 3, "b"), prober.Unknown),
			read(3, 4, 5, "b"), read(4, 6, 7, "a")}, Violated, `client 4 reads  "a"`},
		{"a refused write that had an effect", []prober.Op{write(1, 0, 1, "a"), but(write(2, 2, 3, "b"), prober.Refused), read(3, 4, 5, "b")},
			Violated, `client 3 reads  "b"`},
		{"what nobody wrote", []prober.Op{write(1, 0, 1, "a"), read(2, 2, 3, "z")}, Violated, `client 2 reads  "z"`},
		{"one bad key among good ones", []prober.Op{on("a", write(1, 0, 1, "a")), on("a", read(2, 2, 3, "a")), on("z", write(3, 0, 1, "z")),
			on("z", read(4, 2, 3, ""))}, Violated, "key z"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			slices.Reverse(c.ops) // operations are told of as they end, in any order of their calls
			r := Check(c.ops, time.Minute)
			if r.Verdict != c.want {
				t.Fatalf("%s, want %s", r, c.want)
			}
			if bad := strings.Contains(r.String(), "no order is left"); bad != (c.want == Violated) {
				t.Errorf("it does not say where: %s", r)
			}
			line := r.Why
			for l := range strings.Lines(r.Why) {
				if strings.Contains(l, "no order is left") && strings.HasPrefix(c.says, "client") {
					line = l
				}
			}
			if !strings.Contains(line, c.says) {
				t.Errorf("not %s but\n%s", c.says, r.Why)
			}
		})
	}
}

// TestUndecided: out of time is not good.
func TestUndecided(t *testing.T) {
	if r := Check([]prober.Op{write(1, 0, 1, "a"), read(2, 2, 3, "a")}, 0); r.Verdict != Undecided || r.Why == "" {
		t.Errorf("without any time: %s", r)
	}
	// A violation of any key outweighs it; there is none without time.
	if r := Check(nil, 0); r.Verdict != Linearizable {
		t.Errorf("nothing to decide: %s", r)
	}
}

// TestMany makes histories from a register with effects at random moments, and
// breaks one answer in each: the whole passes, the broken does not.
func TestMany(t *testing.T) {
	for seed := range uint64(30) {
		ops := simulate(rand.New(rand.NewPCG(seed, 1)), 400)
		if r := Check(ops, time.Minute); r.Verdict != Linearizable {
			t.Fatalf("seed %d: %s", seed, r)
		}
		// The last of a key's reads finds nothing any more.
		i := -1
		for j, op := range ops {
			if !op.Write && op.Outcome == prober.Done && op.Value != "" && (i < 0 || op.Call > ops[i].Call) {
				i = j
			}
		}
		ops[i].Value = ""
		if r := Check(ops, time.Minute); r.Verdict != Violated {
			t.Fatalf("seed %d: operation %d was made to lose all writes: %s", seed, i, r)
		}
	}
}

// simulate runs a register per key: operations overlap, each has its effect at
// a moment in between, and some get no answer.
func simulate(random *rand.Rand, n int) []prober.Op {
	type moment struct {
		at time.Duration
		op int
	}
	var ops []prober.Op
	var moments []moment
	for i := range n {
		call := time.Duration(i) * 50 * time.Millisecond
		took := time.Duration(1+random.IntN(1500)) * time.Millisecond
		op := prober.Op{Client: i, Write: random.IntN(2) == 0, Key: fmt.Sprint("k", random.IntN(5)), Call: call, Return: call + took,
			Outcome: prober.Done}
		effect := call + time.Duration(random.Int64N(int64(took)))
		if random.IntN(20) == 0 {
			op.Outcome = prober.Unknown
			effect += time.Duration(random.Int64N(int64(20 * time.Second))) // perhaps after it was given up
		}
		ops, moments = append(ops, op), append(moments, moment{effect, i})
	}
	slices.SortFunc(moments, func(a, b moment) int { return int(a.at - b.at) })
	holds := map[string]string{}
	for _, m := range moments {
		if op := &ops[m.op]; op.Write {
			op.Value = fmt.Sprint(m.op)
			if op.Outcome == prober.Done || random.IntN(2) == 0 {
				holds[op.Key] = op.Value
			}
		} else {
			op.Value = holds[op.Key]
		}
	}
	return ops
}
