package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/model"
)

// Risk is what a stage may cost while it runs and after it.
type Risk uint8

// The risks, least first.
const (
	Safe    Risk = iota // the cluster tolerates what it tolerated before
	Exposed             // it works, but a host loss that was harmless is fatal
	Outage              // etcd, the API, or a worker's way to it stops
)

func (r Risk) String() string { return [...]string{"safe", "exposed", "outage"}[r] }

// MarshalText makes JSON readable.
func (r Risk) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// judge compares states with the one before the stage.
type judge struct {
	c       *model.Cluster // steps are tried on it
	before  model.Health
	serving []model.HostID
}

func newJudge(c *model.Cluster) *judge {
	return &judge{c, c.Health(), c.Serving()}
}

// risk of one step alone. Most change nothing that matters to anyone, and a
// host that matters to nobody else can harm only itself, which is not weighed
// while the step runs.
func (j *judge) risk(s Step) Risk {
	id := s.About().Host
	h := j.c.Hosts[id]
	if j.c.IsCritical(id) {
		if len(j.blind(s)) == 0 && !j.vital(id, h, s.Effect) && !j.vital(id, h, s.Interim) {
			return Safe
		}
		r, _ := j.verdict([]Step{s})
		return r
	}
	cut, strands := false, j.c.Strands(id, j.serving)
	j.c.Try(s.Effect, func() {
		cut = j.c.Strands(id, j.serving) && !strands && h.Runs(model.Kubelet)
	}, id)
	if cut {
		return Outage
	}
	return Safe
}

// vital says whether a change of a host can matter to others.
func (j *judge) vital(id model.HostID, before model.Host, change func(*model.Cluster)) (yes bool) {
	j.c.Try(change, func() {
		after := j.c.Hosts[id]
		yes = before.Vital() != after.Vital()
	}, id)
	return yes
}

// verdict of steps that run side by side: the worst of the state while they
// run and the state after them.
func (j *judge) verdict(steps []Step) (Risk, []string) {
	own := map[model.HostID]bool{}
	for _, s := range steps {
		own[s.About().Host] = true
	}
	ids := slices.Collect(maps.Keys(own))
	was := make([]model.Vital, len(ids))
	for i, id := range ids {
		h := j.c.Hosts[id]
		was[i] = h.Vital()
	}
	// What changes nothing vital leaves the health as it is.
	health := func(change func(Step, *model.Cluster)) (h model.Health) {
		h = j.before
		j.c.Try(func(c *model.Cluster) {
			for _, s := range steps {
				change(s, c)
			}
		}, func() {
			for i, id := range ids {
				if now := j.c.Hosts[id]; now.Vital() != was[i] {
					h = j.c.Health()
					h.Fatal = slices.DeleteFunc(h.Fatal, func(id model.HostID) bool {
						return !slices.Contains(j.before.Fatal, id) && !j.worse(id)
					})
					return
				}
			}
		}, ids...)
		return h
	}
	during, after := health(Step.Interim), health(Step.Effect)
	r1, says1 := j.compare(during, own, "while this runs")
	if says := j.blind(steps...); r1 == Safe && len(says) > 0 {
		r1, says1 = Exposed, says
	}
	if n := longest(steps); r1 == Outage && n > 0 {
		for i := range says1 {
			says1[i] += fmt.Sprintf(" (for about %d s)", n)
		}
	}
	r2, says2 := j.compare(after, nil, "from then on")
	if r2 > r1 || r2 == r1 && len(says1) == 0 {
		return r2, says2
	}
	return r1, says1
}

// worse says that the loss of a host would leave the cluster worse off than it is
// before the step: what the step brings back can be lost again.
func (j *judge) worse(id model.HostID) (yes bool) {
	j.c.Try(func(c *model.Cluster) {
		c.Edit(id, func(h *model.Host) { h.Reached = model.Unknown[bool]("lost") })
	}, func() {
		end := j.c.Health()
		stranded := slices.DeleteFunc(minus(end.Stranded, j.before.Stranded), func(w model.HostID) bool { return w == id })
		yes = j.before.Etcd && !end.Etcd || j.before.API && !end.API || len(stranded) > 0
	}, id)
	return yes
}

// blind says what of the control plane is stopped that runs while nothing serves:
// what it does then cannot be seen, and it may be what was about to serve again.
func (j *judge) blind(steps ...Step) (says []string) {
	if j.before.Etcd && j.before.API {
		return nil
	}
	for _, s := range steps {
		id := s.About().Host
		for _, v := range []model.Component{model.Etcd, model.APIServer} {
			was := j.c.Hosts[id]
			if !was.Runs(v) || v == model.Etcd && j.before.Etcd {
				continue
			}
			stays := false // stopped: that is what the step is for
			j.c.Try(s.Effect, func() { stays = j.c.Hosts[id].Components[v].Running.Is("") }, id)
			j.c.Try(s.Interim, func() {
				if h := j.c.Hosts[id]; !stays && h.Components[v].Running.Is("") {
					says = append(says, fmt.Sprintf("EXPOSED: nothing serves, and %s on %s runs: its restart may end what is about to serve again", v, id))
				}
			}, id)
		}
	}
	return says
}

// longest is how long the slowest of some steps is typically away, in seconds;
// 0 when that is not known of each.
func longest(steps []Step) (n int) {
	for _, s := range steps {
		one := s.About().Seconds
		if one == 0 {
			return 0
		}
		n = max(n, one)
	}
	return n
}

// compare says what a state has lost against the one before.
func (j *judge) compare(h model.Health, own map[model.HostID]bool, when string) (Risk, []string) {
	var says []string
	if j.before.Etcd && !h.Etcd {
		says = append(says, "OUTAGE: "+when+", etcd has no quorum: nothing can be written")
	}
	if j.before.API && !h.API {
		says = append(says, "OUTAGE: "+when+", no API server answers")
	} else if j.before.API {
		lost := slices.DeleteFunc(minus(h.Stranded, j.before.Stranded), func(id model.HostID) bool {
			was := j.c.Hosts[id]
			return own[id] || !was.Runs(model.Kubelet) // what did not run loses nothing
		})
		if len(lost) > 0 {
			says = append(says, fmt.Sprintf("OUTAGE: %s, %s cannot reach an API server", when, names(lost)))
		}
	}
	if len(says) > 0 {
		return Outage, says
	}
	if !j.before.Etcd || !j.before.API {
		return Safe, nil // what does not work yet cannot be lost
	}
	if fatal := minus(h.Fatal, j.before.Fatal); len(fatal) > 0 {
		return Exposed, []string{fmt.Sprintf("EXPOSED: %s, losing %s stops the control plane", when,
			strings.ReplaceAll(names(fatal), ", ", " or "))}
	}
	return Safe, nil
}

// together is the longest prefix-greedy set of steps that are as harmless
// side by side as each is alone: what fits is taken whole, what does not is
// halved. Steps that run already count, and are not returned.
func (j *judge) together(steps []Step, beside ...Step) []Step {
	var free, vital []Step
	chosen := beside
	for _, s := range steps {
		if j.c.IsCritical(s.About().Host) {
			vital = append(vital, s)
		} else {
			free = append(free, s)
		}
	}
	var add func([]Step)
	add = func(batch []Step) {
		if len(batch) == 0 {
			return
		}
		joint := append(slices.Clone(chosen), batch...)
		if r, _ := j.verdict(joint); r == Safe {
			chosen = joint
		} else if len(batch) > 1 {
			add(batch[:len(batch)/2])
			add(batch[len(batch)/2:])
		}
	}
	add(vital)
	return append(chosen[len(beside):], free...)
}

func minus(a, b []model.HostID) []model.HostID {
	return slices.DeleteFunc(slices.Clone(a), func(id model.HostID) bool { return slices.Contains(b, id) })
}

func names(ids []model.HostID) string {
	s := make([]string, len(ids))
	for i, id := range ids {
		s[i] = string(id)
	}
	return strings.Join(s, ", ")
}
