package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/spec"
)

// Balancer is the kind of the front doors, and what an API server that falls
// silent costs their clients.
type Balancer struct {
	Kind     string  `json:"kind"`
	Interval float64 `json:"checkSeconds"` // between two checks of an API server; 0: it is not checked
	Standing float64 `json:"standingSeconds"`
	Election float64 `json:"electionSeconds"` // so long an election takes at most where etcd led; 0: etcd has one member
	// CutOff is after how long connections begin to be closed to an API server that
	// alone has lost etcd; 0: they stay as long as it runs.
	CutOff float64 `json:"cutOffSeconds"`
	Why    string  `json:"why,omitempty"` // why nothing is known
	// Needs is how a load balancer of somebody else's must be set up, and Tried what
	// the hosts got that tried it.
	Needs string  `json:"needs,omitempty"`
	Tried []Tried `json:"tried,omitempty"`

	etcdReset bool
}

// Tried is what a host got that tried the endpoint of somebody else's load balancer.
type Tried struct {
	Host    model.HostID `json:"host"`
	Answers bool         `json:"answers"`
	// Past: the endpoint's name still leads to a load balancer of quorate's there, and
	// this is what it got past that.
	Past bool   `json:"past,omitempty"`
	Why  string `json:"why,omitempty"`
}

// outside says what the hosts got. Before anything serves, nothing needs to answer.
func (s *Status) outside(ob *observe.Observation) {
	var led model.HostSet
	times := 0
	s.Balancer.Needs = ob.Goal.OutsideNeeds()
	for _, id := range slices.Sorted(maps.Keys(ob.Tried)) {
		t := ob.Tried[id]
		one := Tried{Host: id, Answers: t.Answers, Past: t.Past, Why: t.Why}
		if t.Err != nil {
			one.Why = "could not be tried: " + t.Err.Error()
		}
		switch {
		case t.Answers || len(s.Serving) == 0:
		case t.Past:
			s.problem("tried from %s past quorate's own load balancer, the endpoint %s %s", id, s.Endpoint, one.Why)
		case t.Err == nil:
			s.problem("tried from %s, the endpoint %s %s", id, s.Endpoint, t.Why)
		}
		s.Balancer.Tried = append(s.Balancer.Tried, one)
		led, times = led.With(t.Led.List()...), times+t.Times
	}
	never := slices.DeleteFunc(slices.Clone(s.Serving), led.Has)
	if len(never) > 0 && times >= 2*len(s.Serving) {
		s.note("in %d tries the endpoint never led to the API server of %s, which answers: see whether it is among the load balancer's "+
			"servers (one that chooses by the client's address need not lead there)", times, list(never))
	}
}

func (s *Status) balancer(ob *observe.Observation) {
	g := ob.Goal
	on, err := component.OnSilence(g.Base)
	if err != nil {
		s.Balancer.Why = err.Error()
		return
	}
	s.Balancer = Balancer{Kind: on.Kind, Interval: on.Interval.Seconds(), Standing: on.Standing.Seconds(),
		Election: on.Election.Seconds(), CutOff: on.CutOff.Seconds(), etcdReset: on.EtcdReset}
	if on.Kind == spec.ExternalBalancer {
		s.outside(ob)
	}
}

// text is one line for people.
func (b Balancer) text() string {
	switch b.Kind {
	case "":
		return "load balancer: " + b.Why
	case spec.NoBalancer:
		return "no endpoint and no load balancer: all clients use the one control plane directly"
	case spec.ExternalBalancer:
		return b.outsideText()
	}
	if b.Election == 0 {
		return b.noticed()
	}
	writes := "may time out"
	if b.etcdReset {
		writes = "may fail then"
	}
	text := b.noticed() + fmt.Sprintf("; where etcd leads, an election takes up to %.4g s, and writes sent before its end %s",
		b.Election, writes)
	if b.CutOff > 0 {
		text += fmt.Sprintf("\n  losing etcd on one API server's host only: connections to it are closed from %.4g s on, a few at a time",
			b.CutOff)
	}
	return text
}

// outsideText is for people.
func (b Balancer) outsideText() string {
	var by, past, leads []string
	for _, t := range b.Tried {
		switch {
		case t.Past && t.Answers:
			past, leads = append(past, string(t.Host)), append(leads, string(t.Host))
		case t.Past:
			past = append(past, string(t.Host))
		case t.Answers:
			by = append(by, string(t.Host))
		}
	}
	text := "the load balancer is somebody else's: what clients notice of a lost API server depends on it"
	if len(past) > 0 {
		text = "the load balancer is to be somebody else's; the endpoint's name still leads to quorate's own on " + strings.Join(past, ", ")
	}
	if len(by) > 0 {
		text += "; tried from each host, it led to an API server from " + strings.Join(by, ", ")
	}
	if len(leads) > 0 {
		text += "; tried past quorate's own, it led to an API server from " + strings.Join(leads, ", ")
	}
	return text + "\n    " + b.Needs
}

func (b Balancer) noticed() string {
	if b.Interval == 0 {
		return fmt.Sprintf("losing an API server's host: the cluster's own clients notice within %.4g s, others by their own time-outs "+
			"(%s has no health checks)", b.Standing, b.Kind)
	}
	return fmt.Sprintf("losing an API server's host: front doors should notice within about %.4g s (%s, checks every %.4g s)",
		b.Standing, b.Kind, b.Interval)
}
