package etcd

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"quorate.dev/quorate/internal/model"
)

func TestChooseSurvivor(t *testing.T) {
	at := func(id model.HostID, term, index uint64) Candidate {
		return Candidate{Host: id, Data: DiskData{There: true, Position: Position{term, index, index}}}
	}
	with := func(c Candidate, change func(*Candidate)) Candidate { change(&c); return c }
	unseen := func(id model.HostID) Candidate { return Candidate{Host: id, Unseen: true} }
	superseded := func(c *Candidate) { c.Superseded = true }
	broken := func(c *Candidate) { c.Data.Problem = "broken" }
	for name, c := range map[string]struct {
		all  []Candidate
		want Survivor
	}{
		"nobody":           {nil, Survivor{}},
		"no data":          {[]Candidate{{Host: "a"}}, Survivor{}},
		"all unseen":       {[]Candidate{unseen("b"), unseen("a")}, Survivor{MayHoldMore: []model.HostID{"a", "b"}}},
		"the only one":     {[]Candidate{at("a", 1, 1), unseen("b")}, Survivor{Host: "a", MayHoldMore: []model.HostID{"b"}}},
		"the later term":   {[]Candidate{at("a", 2, 90), at("b", 3, 80)}, Survivor{Host: "b"}},
		"the higher index": {[]Candidate{at("a", 2, 80), at("b", 2, 90)}, Survivor{Host: "b"}},
		"more behind the commit": {[]Candidate{at("a", 2, 80), with(at("b", 2, 80), func(c *Candidate) { c.Data.Last = 81 })},
			Survivor{Host: "b"}},
		"the newer revision": {[]Candidate{at("a", 2, 80), with(at("b", 2, 80), func(c *Candidate) { c.Data.Revision = 9 })},
			Survivor{Host: "b"}},
		"the first of equals":     {[]Candidate{at("b", 2, 80), at("a", 2, 80)}, Survivor{Host: "a"}},
		"not the superseded":      {[]Candidate{with(at("a", 9, 99), superseded), at("b", 1, 1)}, Survivor{Host: "b"}},
		"the superseded if alone": {[]Candidate{with(at("a", 9, 99), superseded), {Host: "b"}}, Survivor{Host: "a"}},
		"not the broken": {[]Candidate{with(at("a", 9, 99), broken), at("b", 1, 1)},
			Survivor{Host: "b", MayHoldMore: []model.HostID{"a"}}},
		"the broken if alone": {[]Candidate{with(at("a", 9, 99), broken), unseen("b")},
			Survivor{Host: "a", MayHoldMore: []model.HostID{"b"}}},
		"not one in use for others": {[]Candidate{with(at("a", 9, 99), func(c *Candidate) { c.Unusable = true }), at("b", 1, 1)},
			Survivor{Host: "b"}},
		"the recorded, whoever came back since": {[]Candidate{with(at("a", 1, 1), func(c *Candidate) { c.Recorded = true }), at("b", 9, 99)},
			Survivor{Host: "a"}},
	} {
		if got := ChooseSurvivor(c.all); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, not %+v", name, got, c.want)
		}
	}
}

// In whatever order hosts answer, the choice is the same, and nobody who was seen
// holds more.
func TestChooseSurvivorInAnyOrder(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		var all []Candidate
		for _, id := range []model.HostID{"a", "b", "c", "d"}[:1+r.IntN(4)] {
			all = append(all, Candidate{Host: id, Unseen: r.IntN(4) == 0, Data: DiskData{There: r.IntN(5) > 0, Revision: int64(r.IntN(2)),
				Position: Position{uint64(r.IntN(2)), uint64(r.IntN(3)), uint64(r.IntN(4))}}})
		}
		s := ChooseSurvivor(all)
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if again := ChooseSurvivor(all); !reflect.DeepEqual(s, again) {
			t.Fatalf("seed %d: %+v and %+v", seed, s, again)
		}
		best := Candidate{}
		for _, c := range all {
			if c.Host == s.Host {
				best = c
			}
		}
		for _, c := range all {
			if !c.Unseen && c.Data.There && best.Data.Before(c.Data.Position) {
				t.Fatalf("seed %d: %s, though %s holds more: %+v", seed, s.Host, c.Host, all)
			}
		}
	}
}
