package prober

import (
	"errors"
	"time"
)

// Op is one operation on a register: a key that holds the value last written to
// it, and "" before. Values are written once each, so that a value that is read
// tells which write it came from. Reads ask for no resourceVersion, which an
// API server answers from etcd, not from its cache (CacheDelegator.Get of
// k8s.io/apiserver), so that they must see every write that was acknowledged
// before they began. A write is one merge patch: the API server repeats it
// until nothing came between its own read and its write.
type Op struct {
	Client       int // each has one operation at a time
	Write        bool
	Key          string
	Value        string        // written or, if it went well, read
	Call, Return time.Duration // since the probe began, by a clock that only goes forward
	Outcome      Outcome
}

// Outcome is what the client knows of an operation.
type Outcome int

// What a client can know.
const (
	Unknown Outcome = iota // no answer, or one that says nothing: a write may have had its effect, or have it later
	Done                   // acknowledged
	Refused                // it had no effect, and will have none
)

func (o Outcome) String() string { return [...]string{"unknown", "done", "refused"}[o] }

// register is the entry of a ConfigMap that is written again and again.
const register = "last"

// errNotSent is why a request did not even leave.
type errNotSent struct{ error }

func (e errNotSent) Unwrap() error { return e.error }

// outcome judges an answer. After an answer of 5xx the API server itself may
// not know what etcd did.
func outcome(err error) Outcome {
	var s *status
	var unsent errNotSent
	switch {
	case err == nil:
		return Done
	case errors.As(err, &unsent), errors.As(err, &s) && s.code < 500:
		return Refused
	}
	return Unknown
}

// record tells of an operation that began at call and has just ended.
func (p *Prober) record(op Op, call time.Time, err error) {
	if p.cfg.Record == nil {
		return
	}
	op.Call, op.Return, op.Outcome = call.Sub(p.begun), time.Since(p.begun), outcome(err)
	p.told.Lock()
	defer p.told.Unlock()
	p.cfg.Record(op)
}
