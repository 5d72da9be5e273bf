package observe

import (
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/model"
)

// A service that ends again and again does not run, in whatever moment it is
// seen; one that has just begun may be such a one.
func TestUpAndLoops(t *testing.T) {
	const blocks = `Id=kube-scheduler.service
LoadState=loaded
ActiveState=%STATE%
SubState=%SUB%
UnitFileState=enabled
MainPID=7
NRestarts=%RESTARTS%
Result=success
ActiveEnterTimestampMonotonic=%SINCE%
DropInPaths=/etc/systemd/system/kube-scheduler.service.d/x.conf`
	for name, at := range map[string]struct {
		state, sub, restarts, since string
		up, loops                   bool
	}{
		"runs":                       {"active", "running", "0", "100000000", true, false},
		"has just begun":             {"active", "running", "0", "999500000", false, false},
		"restarted long ago":         {"active", "running", "3", "900000000", true, false},
		"restarted a moment ago":     {"active", "running", "3", "995000000", false, true},
		"waits for its next restart": {"activating", "auto-restart", "3", "995000000", false, true},
		"failed":                     {"failed", "failed", "0", "995000000", false, true},
		"stopped":                    {"inactive", "dead", "0", "995000000", false, false},
	} {
		f := Facts{Units: map[string]Unit{}}
		f.units(strings.NewReplacer("%STATE%", at.state, "%SUB%", at.sub, "%RESTARTS%", at.restarts, "%SINCE%", at.since).Replace(blocks), "1000.00 3000.00")
		if up, loops := f.Up(model.Scheduler), f.Loops(model.Scheduler); up != at.up || loops != at.loops {
			t.Errorf("%s: up %t, loops %t: %+v", name, up, loops, f.Units["kube-scheduler"])
		}
		if len(f.Units["kube-scheduler"].DropIns) != 1 {
			t.Errorf("%s: the drop-in is not seen", name)
		}
	}
	if f := (Facts{Units: map[string]Unit{"etcd": {Active: "activating", Sub: "start", Restarts: 1, Since: time.Second}}}); !f.Up(model.Etcd) {
		t.Error("a member that waits for its peers is what they wait for")
	}
}
