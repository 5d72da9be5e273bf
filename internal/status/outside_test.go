package status

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/spec"
)

// outsideObservation is of a cluster behind somebody else's load balancer.
func outsideObservation(t *testing.T) *observe.Observation {
	t.Helper()
	file, _, err := spec.Parse("prod.yaml", spec.Init("prod"))
	if err != nil {
		t.Fatal(err)
	}
	file.Spec.LoadBalancer.Kind = spec.ExternalBalancer
	v, err := artifact.Resolve(file.Spec.Kubernetes.Version, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := goal.Build(file, goal.Artifacts{Versions: v}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &observe.Observation{Goal: g}
}

// Somebody else's load balancer: what it needs, and from where it leads to an API
// server. What could not be tried is no problem of its.
func TestOutside(t *testing.T) {
	ob := outsideObservation(t)
	ob.Tried = map[model.HostID]observe.Tried{"cp1": {Answers: true},
		"cp2": {Err: errors.New("no forwarding")}, "w1": {Why: "refuses connections"}}
	g, file := ob.Goal, ob.Goal.File
	s := Status{Endpoint: file.Endpoint(), Serving: []model.HostID{"cp1"}}
	s.balancer(ob)
	text := s.Balancer.text()
	for _, want := range []string{"led to an API server from cp1\n", "GET /readyz", g.Servers()[0]} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing about %q in %s", want, text)
		}
	}
	if len(s.Problems) != 1 || s.Problems[0] != "tried from w1, the endpoint "+file.Endpoint()+" refuses connections" {
		t.Errorf("problems: %q", s.Problems)
	}
	if told := s.Balancer.Tried; len(told) != 3 || told[1].Why != "could not be tried: no forwarding" {
		t.Errorf("%+v", told)
	}
	ob.Tried["w1"] = observe.Tried{Answers: true, Led: model.SetOf[model.HostID]("cp1", "cp3"), Times: 6}
	half := Status{Endpoint: file.Endpoint(), Serving: []model.HostID{"cp1", "cp2", "cp3"}}
	const says = "in 6 tries the endpoint never led to the API server of cp2,"
	if half.balancer(ob); len(half.Notes) != 1 || !strings.Contains(half.Notes[0], says) {
		t.Errorf("%q", half.Notes)
	}
	young := Status{Endpoint: file.Endpoint()}
	if young.balancer(ob); len(young.Problems) > 0 {
		t.Errorf("before anything serves: %q", young.Problems)
	}
}

// While the name leads to quorate's own on some hosts, that is what is said of them.
func TestOutsideInTransit(t *testing.T) {
	ob := outsideObservation(t)
	ob.Tried = map[model.HostID]observe.Tried{"cp1": {Answers: true}, "cp2": {Answers: true, Past: true},
		"w1": {Past: true, Why: "refuses connections"}, "w2": {Past: true, Err: errors.New("unshare is not there")}}
	s := Status{Endpoint: ob.Goal.File.Endpoint(), Serving: []model.HostID{"cp1"}}
	s.balancer(ob)
	text := s.Balancer.text()
	for _, want := range []string{"is to be somebody else's; the endpoint's name still leads to quorate's own on cp2, w1, w2;",
		"tried from each host, it led to an API server from cp1;", "tried past quorate's own, it led to an API server from cp2\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing about %q in %s", want, text)
		}
	}
	past := " past quorate's own load balancer, the endpoint " + s.Endpoint
	want := []string{"tried from w1" + past + " refuses connections", "tried from w2" + past + " could not be tried: unshare is not there"}
	if !slices.Equal(s.Problems, want) {
		t.Errorf("problems: %q", s.Problems)
	}
}
