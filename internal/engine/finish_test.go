package engine

import (
	"context"
	"errors"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/workload"
)

type deed struct{ paper }

func (deed) Do(context.Context, step.Env) error { return nil }

// What is done and undone again and again ends the run as a failure, not never.
func TestDoneAgainAndAgain(t *testing.T) {
	w := &work{Engine: &Engine{}, fails: failures{}, gaveUp: gaveUp{}, done: map[string]int{}}
	ob := &observe.Observation{Have: model.New("t")}
	about := plan.About{Kind: "run-kube-scheduler", Host: "cp1", Title: "run kube-scheduler"}
	for i := 1; ; i++ {
		w.active = []*running{{step: deed{paper{about}}, about: about, did: true}}
		_, err := w.finish(t.Context(), ob)
		var f FailedError
		switch {
		case err == nil && i <= maxDone:
		case errors.As(err, &f) && i == maxDone+1 && strings.Contains(f.Error(), "did not last"):
			return
		default:
			t.Fatalf("after %d times: %v", i, err)
		}
	}
}

func TestEnded(t *testing.T) {
	s := step.Run{Set: []model.Component{model.Etcd}}
	facts := func(restarts int) observe.Facts {
		return observe.Facts{Services: map[model.Component]workload.State{model.Etcd: {CrashLooping: true, Restarts: restarts}}}
	}
	if err := ended(s, facts(maxRestarts)); err == nil || !strings.Contains(err.Error(), "etcd has exited") {
		t.Errorf("a service that is crash-looping: %v", err)
	}
	if err := ended(s, facts(maxRestarts-1)); err != nil {
		t.Errorf("it may yet come up: %v", err)
	}
	if err := ended(deed{}, facts(99)); err != nil {
		t.Errorf("a step that begins no service: %v", err)
	}
}
