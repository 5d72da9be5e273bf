package step_test

import (
	"strings"
	"testing"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/step/steptest"
)

// outsideScenes lead a cluster to somebody else's load balancer, and back.
var outsideScenes = []scene{
	{name: "nginx-to-outside", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", ways: steptest.Outside},
	{name: "nginx-to-outside-grows", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1 w2", ways: steptest.Outside},
	{name: "nginx-to-outside-one-not", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", ways: steptest.Outside,
		then: []string{"unreached w1"}},
	{name: "nginx-to-outside-most-not", made: "cp1 cp2 cp3|w1 w2 w3 w4", file: "cp1 cp2 cp3|w1 w2 w3 w4", ways: steptest.Outside,
		then: []string{"unreached cp1 cp2 cp3 w1 w2"}},
	{name: "nginx-to-outside-one-dead", made: "cp1 cp2 cp3|w1 w2", file: "cp1 cp2 cp3|w1 w2", ways: steptest.Outside,
		then: []string{"dead w2"}},
	{name: "nginx-to-outside-one-lost-midway", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", ways: steptest.Outside,
		then: []string{"named cp1", "unreached w1"}},
	{name: "nginx-to-outside-kubelet-differs", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", ways: steptest.Outside,
		then: []string{"running w1 kubelet"}},
	{name: "nginx-to-outside-nothing-serves", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", ways: steptest.Outside,
		then: []string{"unreached cp1 cp2 cp3 w1", "stopped cp1 etcd", "stopped cp2 etcd", "stopped cp3 etcd"}},
	{name: "outside-to-nginx", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", was: steptest.Outside},
	{name: "builtin-to-outside", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", was: steptest.Builtin, ways: steptest.Outside},
	{name: "outside-to-builtin", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", was: steptest.Outside, ways: steptest.Builtin},
	{name: "haproxy-to-outside", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|lb1 lb2 w1", was: steptest.HAProxy,
		ways: steptest.Outside},
	{name: "haproxy-to-outside-alone", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|w1", was: steptest.HAProxy,
		ways: steptest.Outside},
	{name: "haproxy-to-outside-one-not", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|w1", was: steptest.HAProxy,
		ways: steptest.Outside, then: []string{"unreached cp2"}},
	{name: "outside-to-haproxy", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|lb1 lb2 w1", was: steptest.Outside, ways: steptest.HAProxy},
	{name: "kubeadm-to-outside", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", was: steptest.Kubeadm, ways: steptest.KubeadmNamed},
	{name: "kubeadm-to-outside-proxy-stays", made: "cp1|w1", file: "cp1|w1", was: steptest.Kubeadm, ways: steptest.KubeadmNamed,
		then: []string{"named cp1"}},
	{name: "outside-to-kubeadm", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", was: steptest.KubeadmNamed, ways: steptest.Kubeadm},
}

// outsideHappens is a line of a scene that only such clusters have.
func outsideHappens(c *model.Cluster, words []string) {
	for _, id := range words[1:] {
		c.Edit(model.HostID(id), func(h *model.Host) {
			switch words[0] {
			case "unreached": // past the load balancers of quorate's
				h.EndpointUp = model.Is(false).Because("refuses connections")
			case "named": // it was led there already
				digest, _, _ := strings.Cut(h.System.Or(model.Installed{}).Digest, " ")
				h.Named, h.System = model.Is(model.NoWay), model.Valid(digest+" none")
			default:
				panic(words[0])
			}
		})
	}
}

// While a node does not reach the endpoint past quorate's load balancers, nothing at
// all is planned; once others have gone ahead, nothing is taken from that node.
func TestOutsideUnreached(t *testing.T) {
	for _, s := range outsideScenes {
		if !strings.HasSuffix(s.name, "-not") {
			continue
		}
		if p := s.plan(); len(p.Stages) > 0 || len(p.Blocked) == 0 {
			t.Errorf("%s: %s", s.name, p.Text())
		}
	}
	w := steptest.WantBy(steptest.Outside, "cp1 cp2 cp3", "w1")
	c := start(steptest.Builtin, "cp1 cp2 cp3", "w1", w)
	outsideHappens(&c, []string{"named", "cp1"})
	outsideHappens(&c, []string{"unreached", "w1"})
	next, _ := plan.Next(c, w, step.Rules(), nil)
	waits := false
	for _, s := range next.Steps {
		if a := s.About(); a.Host == "w1" {
			waits = a.Kind == "reach-endpoint"
			if !waits {
				t.Errorf("w1 does not reach the endpoint and gets: %s", a.Title)
			}
		}
	}
	if !waits {
		t.Error("nothing waits for w1")
	}
}

// A kubelet that others have set up stays with quorate's load balancer.
func TestOutsideFound(t *testing.T) {
	w := steptest.WantBy(steptest.Outside, "cp1 cp2 cp3", "w1")
	c := start(steptest.Local, "cp1 cp2 cp3", "w1", w)
	c.Edit("w1", func(h *model.Host) { h.Found = true })
	p := plan.Make(c, w, step.Rules())
	if text := p.Text(); len(p.Blocked) == 0 || !strings.Contains(text, "put loadBalancer.kind back") {
		t.Error(text)
	}
}
