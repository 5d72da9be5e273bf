package step_test

import (
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step/steptest"
)

// sharedScenes are those of hosts that share a virtual address.
var sharedScenes = []scene{
	{name: "haproxy-create", file: "cp1 cp2 cp3|lb1 lb2 w1", ways: steptest.HAProxy},
	{name: "haproxy-grow", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3 cp4 cp5|lb1 lb2 w1", was: steptest.HAProxy,
		ways: steptest.HAProxy},
	{name: "haproxy-replace-dead", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp4|lb1 lb2 w1", was: steptest.HAProxy,
		ways: steptest.HAProxy, then: []string{"dead cp3"}},
	{name: "haproxy-one-dead", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|lb1 lb2 w1", was: steptest.HAProxy, ways: steptest.HAProxy,
		then: []string{"dead lb1", "running cp1 kube-apiserver"}},
	{name: "haproxy-stopped", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|lb1 lb2 w1", was: steptest.HAProxy, ways: steptest.HAProxy,
		then: []string{"stopped lb1 haproxy"}},
	{name: "haproxy-replace-lb", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|lb1 lb3 w1", was: steptest.HAProxy, ways: steptest.HAProxy,
		risk: plan.Exposed},
	{name: "nginx-to-haproxy", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|lb1 lb2 w1", ways: steptest.HAProxy},
	{name: "haproxy-to-nginx", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|lb1 lb2 w1", was: steptest.HAProxy},
	{name: "haproxy-to-nginx-alone", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|w1", was: steptest.HAProxy},
	{name: "haproxy-to-builtin", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|lb1 lb2 w1", was: steptest.HAProxy,
		ways: steptest.Builtin},
	{name: "haproxy-unheld", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|lb1 lb2 w1", was: steptest.HAProxy, ways: steptest.HAProxy,
		then: []string{"unheld lb1", "unheld lb2"}},
	{name: "haproxy-to-virtual", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|lb1 lb2 w1", was: steptest.HAProxy,
		ways: steptest.Virtual, risk: plan.Exposed},
	{name: "virtual-to-haproxy", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|lb1 lb2 w1", was: steptest.Virtual,
		ways: steptest.HAProxy, risk: plan.Exposed},
	{name: "virtual-create", file: "cp1 cp2 cp3|lb1 lb2 w1", ways: steptest.Virtual},
	{name: "virtual-to-nginx", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|lb1 lb2 w1", was: steptest.Virtual},
	{name: "builtin-to-virtual", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", was: steptest.Builtin, ways: steptest.Virtual,
		risk: plan.Exposed},
	{name: "virtual-to-builtin", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", was: steptest.Virtual, ways: steptest.Builtin,
		risk: plan.Exposed},
}
