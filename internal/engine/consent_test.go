package engine

import (
	"testing"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

type paper struct{ about plan.About }

func (p paper) About() plan.About        { return p.about }
func (p paper) Need(model.Cluster) error { return nil }
func (p paper) Effect(*model.Cluster)    {}
func (p paper) Interim(*model.Cluster)   {}

func TestConsent(t *testing.T) {
	step := func(kind, host string, final bool) plan.About {
		return plan.About{Kind: kind, Host: model.HostID(host), Irreversible: final}
	}
	stage := func(r plan.Risk, a plan.About) plan.Stage {
		return plan.Stage{Risk: r, Steps: []plan.Step{paper{a}}}
	}
	promote2, promote3 := step("promote", "cp2", false), step("promote", "cp3", false)
	clean, restart := step("clean", "cp4", true), step("run-etcd", "cp1", false)
	a := consent(plan.Plan{Stages: []plan.Stage{stage(plan.Exposed, promote2), stage(plan.Safe, promote3), stage(plan.Safe, clean),
		stage(plan.Outage, restart)}})
	for _, c := range []struct {
		name string
		step plan.About
		risk plan.Risk
		want bool
	}{
		{"a safe step nobody saw", step("system", "w9", false), plan.Safe, true},
		{"a final step that was seen", clean, plan.Safe, true},
		{"a final step nobody saw", step("clean", "cp5", true), plan.Safe, false},
		{"an outage that was seen", restart, plan.Outage, true},
		{"an outage of another host", step("run-etcd", "cp2", false), plan.Outage, false},
		{"exposure by a host nobody saw", step("promote", "cp9", false), plan.Exposed, false},
		{"exposure that came first to the other host", promote3, plan.Exposed, true},
		{"the same again, after a failure", promote3, plan.Exposed, true},
		{"exposure where exposure was seen", promote2, plan.Exposed, true},
		{"an outage where exposure was seen", promote2, plan.Outage, false},
		{"exposure of a kind that was safe", clean, plan.Exposed, false},
	} {
		if got := a.covers(c.step, c.risk); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
