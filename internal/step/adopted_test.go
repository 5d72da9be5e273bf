package step_test

import (
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step/steptest"
)

// adoptedScenes are those of clusters that others have made.
var adoptedScenes = []scene{
	{name: "adopted-nothing", made: "cp1|w1", file: "cp1|w1", was: steptest.KubeadmFixed, ways: steptest.KubeadmFixed, adopted: true},
	{name: "adopted-grow-worker", made: "cp1|w1", file: "cp1|w1 w2", was: steptest.KubeadmFixed, ways: steptest.KubeadmFixed, adopted: true},
	{name: "adopted-leave-worker", made: "cp1|w1 w2", file: "cp1|w1", was: steptest.KubeadmFixed, ways: steptest.KubeadmFixed, adopted: true},
	{name: "adopted-leave", made: "cp1 cp2 cp3|w1", file: "cp1 cp2|w1", was: steptest.KubeadmOutside, ways: steptest.KubeadmOutside,
		adopted: true, risk: plan.Exposed},
	{name: "adopted-replace-dead", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp4|w1", was: steptest.KubeadmOutside,
		ways: steptest.KubeadmOutside, adopted: true, then: []string{"dead cp3"}},
	{name: "adopted-replace-first-dead", made: "cp1 cp2 cp3|w1", file: "cp2 cp3 cp4|w1", was: steptest.Kubeadm, ways: steptest.Kubeadm,
		adopted: true, then: []string{"marked cp1 cp2 cp3 w1", "dead cp1"}},
	{name: "adopted-back", made: "cp1 cp2 cp3|w1", file: "cp1 cp2|w1", was: steptest.KubeadmOutside, ways: steptest.KubeadmOutside,
		adopted: true, then: []string{"removed cp3"}},
	{name: "adopted-demote", made: "cp1 cp2 cp3|w1", file: "cp1 cp2|cp3 w1", was: steptest.KubeadmOutside, ways: steptest.KubeadmOutside,
		adopted: true},
	{name: "adopted-only-server-leaves", made: "cp1|w1", file: "cp2|w1", was: steptest.KubeadmFixed, ways: steptest.KubeadmFixed,
		adopted: true, risk: plan.Exposed},
	{name: "adopted-convert", made: "cp1|w1", file: "cp1 cp2 cp3|w1", was: steptest.KubeadmFixed, ways: steptest.Kubeadm, adopted: true,
		risk: plan.Exposed},
}

// adoptedHappens is a line of a scene that only such clusters have.
func adoptedHappens(c *model.Cluster, w model.Cluster, words []string) {
	switch words[0] {
	case "marked": // earlier changes have made it quorate's
		for _, m := range words[1:] {
			c.Edit(model.HostID(m), func(h *model.Host) { h.Marked = model.Is(true) })
		}
		c.Addons["cluster"], c.Addons["rbac"] = model.Valid("older"), w.Addons["rbac"]
	case "removed": // it was dead when the others took it out, and is back
		c.Edit(model.HostID(words[1]), func(h *model.Host) {
			h.Etcd.Member, h.Etcd.Healthy, h.Ready = model.Is(model.NoMember), model.Is(false), model.Is(false)
			h.Node, h.Departed = model.NodeState{Registered: model.Is(false)}, model.Is(true)
		})
	default:
		outsideHappens(c, words)
	}
}
