package plan_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// paper is a step that is nothing but its text.
type paper plan.About

func (s paper) About() plan.About       { return plan.About(s) }
func (paper) Need(model.Cluster) error  { return nil }
func (paper) Effect(c *model.Cluster)   {}
func (paper) Interim(c *model.Cluster)  {}
func at(h model.HostID, s string) paper { return paper{Kind: s, Host: h, Title: s} }
func no(h model.HostID, s string, err error) plan.Refused {
	return plan.Refused{Step: plan.About(at(h, s)), Err: err}
}

func example() plan.Plan {
	away := plan.UnreachedError{Host: "cp3", Why: "connection refused"}
	clean := at("w9", "clean")
	clean.Irreversible, clean.Why = true, "not in the file"
	return plan.Plan{
		Stages: []plan.Stage{
			{Steps: []plan.Step{at("cp2", "system"), at("cp1", "system"), at("cp1", "mint")}},
			{Steps: []plan.Step{at("cp2", "promote")}, Risk: plan.Exposed,
				Reasons: []string{"EXPOSED: while this runs, losing cp2 stops the control plane"}},
			{Steps: []plan.Step{clean}},
		},
		Blocked: []plan.Refused{no("cp1", "mint", plan.OperatorError{Err: errors.New("it is foreign")})},
		Deferred: []plan.Refused{no("cp3", "system", away), no("cp3", "etcd", away),
			no("w1", "door", fmt.Errorf("its backend is silent: %w", away))},
	}
}

func TestText(t *testing.T) {
	const want = `Stage 1
  cp1 cp2  system
  cp1      mint
Stage 2
  cp2  promote
  EXPOSED: while this runs, losing cp2 stops the control plane
Stage 3
  w9  clean (not in the file) (cannot be undone)
Blocked: nothing is started until this is resolved
  cp1: it is foreign
      this waits for it: mint
Deferred: this waits, the rest goes on; bring the host back and apply again, or take it out of the file
  cp3 cannot be reached (connection refused); bring it back, then apply again
      this waits for it: system; etcd; w1: door
3 stages, 5 steps, risk: exposed; blocked: 1 step cannot be taken; deferred: 3 steps
`
	if got := example().Text(); got != want {
		t.Errorf("got:\n%s", got)
	}
	if got := (plan.Plan{}).Text(); got != "nothing to do\n" {
		t.Errorf("the empty plan is %q", got)
	}
}

func TestTextOfManyHosts(t *testing.T) {
	var st plan.Stage
	for i := range 1000 {
		st.Steps = append(st.Steps, at(model.HostID(fmt.Sprintf("w%03d", i)), "system"))
	}
	got := plan.Plan{Stages: []plan.Stage{st}}.Text()
	if !strings.Contains(got, "w000 w001 w002 w003 w004 w005 and 994 more  system\n") {
		t.Errorf("got %.300s", got)
	}
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(example())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"summary":"3 stages, 5 steps, risk: exposed; blocked: 1 step cannot be taken; deferred: 3 steps","risk":"exposed","stages":[` +
		`{"risk":"safe","steps":[{"kind":"system","host":"cp2","title":"system"},{"kind":"system","host":"cp1","title":"system"},{"kind":"mint","host":"cp1","title":"mint"}]},` +
		`{"risk":"exposed","says":["EXPOSED: while this runs, losing cp2 stops the control plane"],"steps":[{"kind":"promote","host":"cp2","title":"promote"}]},` +
		`{"risk":"safe","steps":[{"kind":"clean","host":"w9","title":"clean","why":"not in the file","irreversible":true}]}],` +
		`"blocked":[{"kind":"mint","host":"cp1","title":"mint","reason":"it is foreign"}],` +
		`"deferred":[{"kind":"system","host":"cp3","title":"system","reason":"cp3 cannot be reached (connection refused); bring it back, then apply again"},` +
		`{"kind":"etcd","host":"cp3","title":"etcd","reason":"cp3 cannot be reached (connection refused); bring it back, then apply again"},` +
		`{"kind":"door","host":"w1","title":"door","reason":"its backend is silent: cp3 cannot be reached (connection refused); bring it back, then apply again"}]}`
	if string(text) != want {
		t.Errorf("got %s", text)
	}
	if text, _ := json.Marshal(plan.Plan{}); string(text) != `{"summary":"nothing to do","risk":"safe","stages":[],"blocked":[],"deferred":[]}` {
		t.Errorf("the empty plan is %s", text)
	}
}
