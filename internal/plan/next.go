package plan

import (
	"slices"

	"quorate.dev/quorate/internal/model"
)

// Next is what can begin now, beside steps that run already: it may begin
// while each of those is half done, and all of them together are judged as
// Make judges a stage. Nothing begins beside a step that is not safe, and such
// a step begins alone. With nothing running it is the first stage of Make, and
// refused are the steps that are still to be done and cannot.
func Next(have, want model.Cluster, rules []Rule, running []Step) (next Stage, refused []Refused) {
	if r, ok := conflict(have); ok {
		return Stage{}, []Refused{r}
	}
	c := have.Clone()
	if len(running) == 0 {
		ready, refused := propose(&c, want, rules)
		if len(ready) == 0 {
			return Stage{}, refused
		}
		return pick(&c, ready), nil
	}
	j := newJudge(&c)
	if r, _ := j.verdict(running); r != Safe {
		return Stage{}, nil
	}
	paper := have.Clone()
	for _, r := range running {
		r.Interim(&paper)
	}
	ready, _ := propose(&paper, want, rules)
	ready = slices.DeleteFunc(ready, func(s Step) bool { return !beside(&c, s, running) || j.risk(s) != Safe })
	if len(ready) == 0 {
		return Stage{}, nil
	}
	chosen := j.together(sideBySide(&c, ready), running...)
	after := c.Clone()
	for _, s := range chosen {
		s.Effect(&after)
	}
	return Stage{Steps: chosen, After: after}, nil
}

// beside says whether a step may join those that run: it is none of them,
// changes nothing that one at a time may change, and disturbs none of its own
// host.
func beside(c *model.Cluster, s Step, running []Step) bool {
	a := s.About()
	for _, r := range running {
		b := r.About()
		if a.Key() == b.Key() || a.Exclusive != "" && a.Exclusive == b.Exclusive {
			return false
		}
		if a.Host != b.Host || r.Need(*c) != nil {
			continue // what runs may be past its own need
		}
		free := true
		c.Try(s.Interim, func() { free = r.Need(*c) == nil }, a.Host)
		if !free {
			return false
		}
	}
	return s.Need(*c) == nil && !Done(s, *c)
}
