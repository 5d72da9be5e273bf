package cli

import (
	"strings"
	"testing"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// three is a cluster whose hosts are "up", "stopped" (etcd does not run),
// "alone" (it runs without a quorum), "empty" (without data), "new" (not joined yet) or "dead".
func three(words string) model.Cluster {
	c := model.New("t")
	for i, w := range strings.Fields(words) {
		h := model.Host{Roles: model.ControlPlane | model.EtcdHost, Reached: model.Is(true), Obstacle: model.Is("")}
		h.Etcd = model.EtcdState{Data: model.Is(w != "empty"), Bootstrapped: model.Is(true), Member: model.Is(model.Voter),
			Healthy: model.Is(w == "up")}
		h.Components[model.Etcd].Running = model.Is(map[bool]string{true: "e"}[w == "up" || w == "alone"])
		if w == "new" {
			h.Etcd = model.EtcdState{Data: model.Is(false), Bootstrapped: model.Is(false), Healthy: model.Is(false)}
		}
		if w == "alone" {
			h.Etcd.Healthy = model.Is(false)
		}
		if w == "dead" {
			h = model.Host{Roles: h.Roles, Etcd: model.EtcdState{Member: model.Is(model.Voter)}}
		}
		c.Put(model.HostID(rune('a'+i)), h)
	}
	return c
}

func TestQuorumLost(t *testing.T) {
	for words, want := range map[string]bool{
		"up up dead":              false,
		"alone dead dead":         true,
		"up dead dead":            false, // its reads are agreed to: the others died since
		"stopped stopped dead":    false, // apply starts them
		"stopped empty dead":      true,
		"stopped stopped stopped": false,
		"dead dead dead":          true,
		"empty empty empty":       true,
		"stopped new new":         false, // on the way from one to three
		"dead new new":            true,
	} {
		c := three(words)
		if got := c.QuorumLost(); got != want {
			t.Errorf("%s: %t", words, got)
		}
		got := explain(applyCommand(), engine.BlockedError{Plan: plan.Plan{Have: c}}).String()
		if strings.Contains(got, "etcd recover") != want {
			t.Errorf("%s: the way on is %s", words, got)
		}
	}
	if got := explain(applyCommand(), engine.BlockedError{Plan: plan.Plan{Have: three("alone dead dead")}}).next; !strings.HasPrefix(got,
		"bring back b or c with its disk: then nothing is lost.") {
		t.Errorf("the better way is not the first: %s", got)
	}
}
