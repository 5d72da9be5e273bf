package plan

import "encoding/json"

// The JSON forms of a plan; the clusters it goes through stay out of it.
type (
	planJSON struct {
		Summary  string        `json:"summary"`
		Risk     Risk          `json:"risk"`
		Stages   []stageJSON   `json:"stages"`
		Blocked  []refusedJSON `json:"blocked"`
		Deferred []refusedJSON `json:"deferred"`
	}
	stageJSON struct {
		Risk  Risk     `json:"risk"`
		Says  []string `json:"says,omitempty"`
		Steps []About  `json:"steps"`
	}
	refusedJSON struct {
		About
		Reason string `json:"reason"`
	}
)

// MarshalJSON is the plan for programs. Empty lists are [], never null.
func (p Plan) MarshalJSON() ([]byte, error) {
	out := planJSON{Summary: p.Summary(), Risk: p.Risk(), Stages: []stageJSON{},
		Blocked: refusals(p.Blocked), Deferred: refusals(p.Deferred)}
	for _, st := range p.Stages {
		s := stageJSON{Risk: st.Risk, Says: st.Reasons, Steps: []About{}}
		for _, step := range st.Steps {
			s.Steps = append(s.Steps, step.About())
		}
		out.Stages = append(out.Stages, s)
	}
	return json.Marshal(out)
}

func refusals(refused []Refused) []refusedJSON {
	out := []refusedJSON{}
	for _, r := range refused {
		out = append(out, refusedJSON{r.Step, r.Err.Error()})
	}
	return out
}
