// Package plan turns "have" and "want" into the list of steps between them,
// each judged before anything is touched: what is down while it runs, and
// which single host loss would then be fatal. It is pure: it imports package
// model only, and it does not know what the steps really do.
package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"quorate.dev/quorate/internal/model"
)

// About names a step for people and for consent.
type About struct {
	Kind         string       `json:"kind"`
	Host         model.HostID `json:"host"`
	Title        string       `json:"title"`
	Why          string       `json:"why,omitempty"`
	Irreversible bool         `json:"irreversible,omitempty"` // cannot be undone
	// Seconds is how long what it stops is typically away; 0: not known.
	Seconds int `json:"downSeconds,omitempty"`
	// Exclusive names a thing that one step at a time may change.
	Exclusive string `json:"-"`
	// Limit is how long it may take, its work and the wait for its effect.
	Limit Limit `json:"-"`
}

// Limit is a time limit for steps of a kind; the engine knows the durations.
type Limit uint8

// The limits.
const (
	UsualLimit    Limit = iota
	DownloadLimit       // packages and programs come over the network
	DrainLimit          // pods take the time that the operator gives them
	CopyLimit           // etcd's data may have to be copied to another disk
)

// Key identifies a step among those of a plan.
func (a About) Key() string { return a.Kind + "@" + string(a.Host) }

// Step is the paper half of one change to one host. Effect and Interim read
// and write that host and the facts of the whole cluster, no other host.
type Step interface {
	About() About
	Need(model.Cluster) error // why not now
	Effect(*model.Cluster)    // idempotent; done ⇔ Effect changes nothing
	Interim(*model.Cluster)   // worst state while it runs or is cut short
}

// Rule proposes steps, best first; safety is not its business.
type Rule func(have, want model.Cluster) []Step

// UnreachedError is the need of a step whose host does not answer: the rest of
// the plan may go on without it.
type UnreachedError struct {
	Host model.HostID
	Why  string
	Left bool // the file does not name it any more: it can be given up
}

func (e UnreachedError) Error() string {
	why := e.Why
	if why == "" {
		why = "no answer"
	}
	if e.Left {
		return fmt.Sprintf("%s cannot be reached (%s); bring it back and apply again, or stop tracking it with `quorate forget %s`", e.Host,
			why, e.Host)
	}
	return fmt.Sprintf("%s cannot be reached (%s); bring it back, then apply again", e.Host, why)
}

// CauseError is the need of a step that would heal nothing: what it is for fails
// because of something on another host, or between hosts. The rest of the plan
// may go on without it.
type CauseError struct {
	Host model.HostID // where the cause lies
	What string       // the cause, and what to do about it
}

func (e CauseError) Error() string { return fmt.Sprintf("%s: %s", e.Host, e.What) }

// OperatorError is a need that no waiting meets: a person must act, and until then
// nothing is started.
type OperatorError struct{ Err error }

func (e OperatorError) Error() string { return e.Err.Error() }

// Unwrap gives the error inside.
func (e OperatorError) Unwrap() error { return e.Err }

// Refused is a step that cannot be taken, and why.
type Refused struct {
	Step About `json:"step"`
	Err  error `json:"-"`
}

func (r Refused) Error() string { return fmt.Sprintf("%s: %s: %v", r.Step.Host, r.Step.Title, r.Err) }

// reason is why, and on which host that lies; named says that the text begins
// with the host's name.
func (r Refused) reason() (id model.HostID, text string, named bool) {
	var away UnreachedError
	var cause CauseError
	switch {
	case errors.As(r.Err, &away):
		return away.Host, away.Error(), true
	case errors.As(r.Err, &cause):
		return cause.Host, cause.What, false
	}
	return r.Step.Host, r.Err.Error(), false
}

// Reason is why in one line, which begins with the host that it is about.
func (r Refused) Reason() string {
	id, text, named := r.reason()
	if named {
		return text
	}
	return string(id) + ": " + text
}

// Stage is steps that run side by side.
type Stage struct {
	Steps   []Step
	Risk    Risk
	Reasons []string // what the risk is, in sentences
	After   model.Cluster
}

// Plan is the way from have to want.
type Plan struct {
	Have, Want model.Cluster
	Stages     []Stage
	Blocked    []Refused // not empty: the plan must not be started
	Deferred   []Refused // waits for hosts that do not answer; the rest goes on
}

// Empty says that nothing is to be done.
func (p Plan) Empty() bool {
	return len(p.Stages) == 0 && len(p.Blocked) == 0 && len(p.Deferred) == 0
}

// Last is the state at the end of the plan.
func (p Plan) Last() model.Cluster {
	if len(p.Stages) == 0 {
		return p.Have
	}
	return p.Stages[len(p.Stages)-1].After
}

// Done says that a step's effect changes nothing.
func Done(s Step, c model.Cluster) bool {
	c = c.Only(s.About().Host)
	return done(s, s.About().Host, &c)
}

// done is Done on a cluster that may be written to for the moment.
func done(s Step, id model.HostID, c *model.Cluster) (same bool) {
	was, h := *c, c.Hosts[id]
	c.Try(s.Effect, func() {
		same = h == c.Hosts[id] && c.CAsCreated == was.CAsCreated && c.Conflict == was.Conflict &&
			c.Published == was.Published && maps.Equal(c.Addons, was.Addons)
	}, id)
	return same
}

// maxStages bounds a plan: no change of a cluster needs as many, so that
// reaching it means that two rules undo each other.
const maxStages = 400

// Make plans. The cluster that it works on is also the paper on which every
// step is tried and taken back. It takes the admissible steps of least risk, applies their
// effects on paper, and repeats until no rule proposes anything.
func Make(have, want model.Cluster, rules []Rule) Plan {
	p := Plan{Have: have, Want: want}
	if r, ok := conflict(have); ok {
		p.Blocked = []Refused{r}
		return p
	}
	c := have.Clone()
	want = want.Frozen()
	for {
		ready, refused := propose(&c, want, rules)
		if len(ready) == 0 {
			p.sort(c, refused)
			return p
		}
		if len(p.Stages) == maxStages {
			p.Blocked = append(p.Blocked, Refused{ready[0].About(), errors.New("the plan does not converge; this is a defect of quorate: " +
				"please report it with `quorate plan --output json`")})
			return p
		}
		stage := pick(&c, ready)
		p.Stages = append(p.Stages, stage)
		c = stage.After
	}
}

// conflict is what stops everything, even when each host by itself is as the
// file wants it.
func conflict(c model.Cluster) (Refused, bool) {
	about := About{Kind: "conflict", Host: model.HostID(c.Name), Title: "any change"}
	return Refused{about, OperatorError{errors.New(c.Conflict)}}, c.Conflict != ""
}

// propose asks the rules, and drops what is done already.
func propose(c *model.Cluster, want model.Cluster, rules []Rule) (ready []Step, refused []Refused) {
	seen := map[string]bool{}
	for _, rule := range rules {
		for _, s := range rule(*c, want) {
			about := s.About()
			key := about.Key()
			if seen[key] || done(s, about.Host, c) {
				continue
			}
			seen[key] = true
			if err := s.Need(*c); err != nil {
				refused = append(refused, Refused{about, err})
			} else {
				ready = append(ready, s)
			}
		}
	}
	return ready, refused
}

// sort tells what only waits for a host from what stops the plan: going on
// without a host is right as long as a served control plane comes out of it.
// What is refused for another step's sake waits with it; what only follows from a
// cause that was named is not told.
func (p *Plan) sort(end model.Cluster, refused []Refused) {
	var unreached UnreachedError
	var firm OperatorError
	var cause CauseError
	if slices.ContainsFunc(refused, func(r Refused) bool { return errors.As(r.Err, &cause) }) {
		refused = slices.DeleteFunc(refused, func(r Refused) bool {
			return !errors.As(r.Err, &cause) && !errors.As(r.Err, &unreached) && !errors.As(r.Err, &firm)
		})
	}
	health := end.Health()
	serves := health.Etcd && health.API || len(refused) > 0 && len(end.Critical()) == 0
	waits := serves && slices.ContainsFunc(refused, func(r Refused) bool {
		return errors.As(r.Err, &unreached) || errors.As(r.Err, &cause)
	})
	for _, r := range refused {
		if waits && !errors.As(r.Err, &firm) {
			p.Deferred = append(p.Deferred, r)
		} else {
			p.Blocked = append(p.Blocked, r)
		}
	}
	// Name the causes first: they explain the rest.
	rank := func(r Refused) int {
		switch {
		case errors.As(r.Err, &firm):
			return 0
		case errors.As(r.Err, &unreached), errors.As(r.Err, &cause):
			return 1
		}
		return 2
	}
	for _, list := range [][]Refused{p.Blocked, p.Deferred} {
		slices.SortStableFunc(list, func(a, b Refused) int { return rank(a) - rank(b) })
	}
}

// pick makes the next stage of the steps that can be taken.
func pick(c *model.Cluster, ready []Step) Stage {
	j := newJudge(c)
	least := Outage
	var best []Step
	for _, s := range ready {
		switch r := j.risk(s); {
		case r < least || best == nil:
			least, best = r, []Step{s}
		case r == least:
			best = append(best, s)
		}
	}
	chosen := best[:1]
	if least == Safe {
		chosen = j.together(sideBySide(c, best))
	}
	risk, says := j.verdict(chosen)
	after := c.Clone()
	for _, s := range chosen {
		s.Effect(&after)
	}
	return Stage{Steps: chosen, Risk: risk, Reasons: says, After: after}
}

// sideBySide drops what would disturb an earlier step of the same stage: on one
// host, steps run together only if each could still begin while the other is
// half done.
func sideBySide(c *model.Cluster, steps []Step) []Step {
	taken := map[model.HostID][]Step{}
	alone := map[string]bool{}
	var out []Step
	for _, s := range steps {
		a := s.About()
		if a.Exclusive != "" && alone[a.Exclusive] || !compatible(c, s, taken[a.Host]) {
			continue
		}
		alone[a.Exclusive] = true
		taken[a.Host] = append(taken[a.Host], s)
		out = append(out, s)
	}
	return out
}

func compatible(c *model.Cluster, s Step, with []Step) bool {
	id := s.About().Host
	begins := func(s, while Step) (ok bool) {
		c.Try(while.Interim, func() { ok = s.Need(*c) == nil }, id)
		return ok
	}
	for _, t := range with {
		if !begins(s, t) || !begins(t, s) {
			return false
		}
	}
	return true
}
