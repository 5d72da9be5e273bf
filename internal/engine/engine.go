package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/units"
)

// Engine works on one cluster.
type Engine struct {
	Events func(Event) // called one at a time
	// DrainTime is how long the pods of a host that leaves may take to move
	// away; ForceDrain goes on without those that do not.
	DrainTime  time.Duration
	ForceDrain bool

	observer observe.Observer
	eyes     observer // the observer
	rules    []plan.Rule
	run      string
	seen     func(*observe.Observation) // told what an apply sees; nil: nobody
	ca       atomic.Pointer[string]
	mu       sync.Mutex
}

// observer are what an apply sees with: hosts, or a world on paper.
type observer interface {
	Look(context.Context, ...model.HostID) (*observe.Observation, error)
	Glance(ctx context.Context, hurry bool) (*observe.Observation, error)
	Disconnected(context.Context, model.HostID, error)
}

// DrainTime is how long a drain may take unless a person says otherwise.
const DrainTime = 5 * time.Minute

// New makes an engine for the cluster of a file, whose hosts are reached by
// the given connections.
func New(file *spec.Cluster, arts goal.Artifacts, hosts map[model.HostID]host.Host) *Engine {
	e := &Engine{observer: observe.Observer{File: file, Artifacts: arts, Hosts: hosts}, rules: step.Rules(), run: rand.Text()[:8],
		DrainTime: DrainTime}
	e.eyes = &e.observer
	return e
}

// Equip gives an apply the artefacts that it sends to hosts; a plan needs only
// their names. It is called before Apply.
func (e *Engine) Equip(arts goal.Artifacts) { e.observer.Artifacts = arts }

// Meet says how hosts are reached that the cluster remembers and the file does
// not name any more.
func (e *Engine) Meet(connect func(kubeapi.Departed) host.Host) { e.observer.Connect = connect }

// Await says who is told which hosts keep the first look waiting, and how long
// each may take.
func (e *Engine) Await(say func(hosts []model.HostID, most time.Duration)) { e.observer.Waits = say }

// Run is the name of this run in events.
func (e *Engine) Run() string { return e.run }

// CA is the SHA-256 of the cluster's CA certificate in hex, by which clusters of
// the same name are told apart; "" until a host that holds it was seen.
func (e *Engine) CA() string {
	if ca := e.ca.Load(); ca != nil {
		return *ca
	}
	return ""
}

// identify notes to which cluster the hosts belong.
func (e *Engine) identify(ob *observe.Observation) {
	if ob.Shared == nil {
		return
	}
	if block, _ := pem.Decode(ob.Shared.CA.Cert); block != nil {
		sum := sha256.Sum256(block.Bytes)
		ca := hex.EncodeToString(sum[:])
		e.ca.Store(&ca)
	}
}

// Look observes all hosts.
func (e *Engine) Look(ctx context.Context) (*observe.Observation, error) {
	start := time.Now()
	ob, err := e.eyes.Look(ctx)
	if err == nil {
		e.identify(ob)
		e.tell(Event{Kind: Looking, Took: units.Seconds(time.Since(start)), Text: fmt.Sprintf("observed %d hosts", len(ob.Facts))})
	}
	return ob, err
}

// Plan observes, and plans the way to the file.
func (e *Engine) Plan(ctx context.Context) (plan.Plan, *observe.Observation, error) {
	ob, err := e.Look(ctx)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	return plan.Make(ob.Have, ob.Goal.Want, e.rules), ob, nil
}

// BlockedError is a plan that must not be started, or not go on.
type BlockedError struct{ Plan plan.Plan }

func (b BlockedError) Error() string {
	var lines []string
	for _, r := range b.Plan.Blocked {
		// The reason says what to do; which steps wait for it is in the plan.
		if l := "  " + r.Reason(); !slices.Contains(lines, l) {
			lines = append(lines, l)
		}
	}
	return "blocked: nothing is started until this is resolved\n" + strings.Join(lines, "\n")
}

// DeferredError says that all is done but what waits for hosts that do not answer.
type DeferredError struct{ Steps []plan.Refused }

func (d DeferredError) Error() string {
	seen := map[model.HostID]bool{}
	var names []string
	for _, r := range d.Steps {
		if !seen[r.Step.Host] {
			seen[r.Step.Host] = true
			names = append(names, "  "+r.Reason())
		}
	}
	if !d.Unreached() {
		return "the cluster serves; what is left has to wait for this:\n" + strings.Join(names, "\n")
	}
	return "the cluster serves; the rest waits for hosts that do not answer:\n" + strings.Join(names, "\n")
}

// Unreached says that some of it waits for hosts that do not answer.
func (d DeferredError) Unreached() bool {
	return slices.ContainsFunc(d.Steps, func(r plan.Refused) bool { return errors.As(r.Err, new(plan.UnreachedError)) })
}

// NotApprovedError is a step that became riskier than what was agreed to.
type NotApprovedError struct {
	Stage plan.Stage
	Step  plan.About
}

func (n NotApprovedError) Error() string {
	return fmt.Sprintf("%s: %s was not agreed to: %s\nit was not started; check `quorate plan`, then apply again", n.Step.Host,
		n.Step.Title, strings.Join(n.Stage.Reasons, "; "))
}

// Apply goes on until nothing is left to do. Every step is taken from a fresh
// plan on a fresh observation; approved is what a person has seen and agreed
// to, and no step riskier or more final than in it is taken.
func (e *Engine) Apply(ctx context.Context, approved plan.Plan) error {
	ctx, cancel := context.WithCancel(ctx)
	w := &work{Engine: e, agreed: consent(approved), fails: failures{}, done: map[string]int{}, gaveUp: gaveUp{}, told: newTold(),
		steady: steady{}, wake: make(chan struct{}, 1), stages: len(approved.Stages)}
	defer func() { cancel(); w.group.Wait() }()
	return w.run(ctx)
}

// agreement is what of a plan goes beyond the safe and the undoable.
type agreement struct {
	steps map[string]plan.Risk // by step
	// exposed are how many steps of a kind may expose the cluster: which of
	// two learners gets its vote first is not what a person has agreed to.
	exposed map[string]int
	given   map[string]bool // steps that have had their part of exposed
}

func consent(p plan.Plan) agreement {
	a := agreement{map[string]plan.Risk{}, map[string]int{}, map[string]bool{}}
	for _, st := range p.Stages {
		for _, s := range st.Steps {
			about := s.About()
			if st.Risk == plan.Exposed {
				a.exposed[about.Kind]++
			}
			if r, ok := a.steps[about.Key()]; !ok || st.Risk > r {
				a.steps[about.Key()] = st.Risk
			}
		}
	}
	return a
}

func (a agreement) covers(s plan.About, r plan.Risk) bool {
	if r == plan.Safe && !s.Irreversible {
		return true
	}
	was, known := a.steps[s.Key()]
	if !known || r != plan.Exposed || a.given[s.Key()] {
		return known && (was >= r || a.given[s.Key()])
	}
	if a.exposed[s.Kind] == 0 {
		return was >= r
	}
	a.exposed[s.Kind]--
	a.given[s.Key()] = true
	return true
}

// failures counts what failed, by step: what fails three times ends the run.
type failures map[string]int

const maxFailures = 3

// maxDone is how often a step may be done in a run. What must be done again and
// again, such as the start of a service that ends after a while, is not done.
const maxDone = 5

// FailedError is a step that failed too often.
type FailedError struct {
	Step plan.About
	Err  error
}

func (f FailedError) Error() string {
	return fmt.Sprintf("%s: %s: %v", f.Step.Host, f.Step.Title, f.Err)
}
func (f FailedError) Unwrap() error { return f.Err }

// note counts a failure; the error ends the run.
func (f failures) note(about plan.About, err error) error {
	key := about.Key()
	f[key]++
	if f[key] >= maxFailures || errors.Is(err, context.Canceled) || errors.Is(err, step.ErrHeld) {
		return FailedError{about, err}
	}
	return nil
}

// KeepKeys makes hosts that leave keep their copies of the cluster's keys.
func (e *Engine) KeepKeys(keep bool) { e.observer.KeepKeys = keep }
