package observe

import (
	"errors"
	"testing"
	"time"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
)

// Slow control planes have longer for a look, and a worker changes nothing of that.
func TestProbeLimit(t *testing.T) {
	o := &Observer{facts: map[model.HostID]Facts{}, File: &spec.Cluster{}}
	o.File.Spec.Hosts = []spec.Host{{Name: "cp1", Roles: []string{spec.RoleControlPlane}}, {Name: "w1", Roles: []string{spec.RoleWorker}}}
	for _, c := range []struct {
		id    model.HostID
		facts Facts
		want  time.Duration
	}{
		{"cp1", Facts{Took: time.Second}, probeTimeout},
		{"w1", Facts{Took: 19 * time.Second}, probeTimeout},
		{"cp1", Facts{Took: 20 * time.Second, Err: errors.New("no answer")}, probeTimeout},
		{"cp1", Facts{Took: 5 * time.Second}, 40 * time.Second},
		{"cp1", Facts{Took: time.Second}, 40 * time.Second},
		{"cp1", Facts{Took: 15 * time.Second}, slowProbe},
	} {
		o.note(c.id, c.facts)
		if got := probeLimit(o.slowest); got != c.want {
			t.Errorf("after %s took %s (%v): %s, want %s", c.id, c.facts.Took, c.facts.Err, got, c.want)
		}
	}
}
