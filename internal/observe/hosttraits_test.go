package observe

import (
	"testing"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
)

// The way to the pods of a host that leaves is known by the routes of others.
func TestLeavingNature(t *testing.T) {
	o, _ := observer(t, nil)
	const conflist = `{"plugins":[{"ipam":{"ranges":[[{"subnet":"10.244.7.0/24"}]]}}]}`
	seen := func(old1 Facts) goal.HostTraits {
		o.facts = map[model.HostID]Facts{"cp1": {Routes: "# x\nroute flush proto 117\nroute replace 10.244.7.0/24 via 192.0.2.7 proto 117"},
			"old1": old1}
		return o.hostTraits()["old1"]
	}
	if got := seen(Facts{Conflist: conflist}); got != (goal.HostTraits{PodCIDR: "10.244.7.0/24", Address: "192.0.2.7"}) {
		t.Errorf("one that answers: %+v", got)
	}
	if got := seen(Facts{Conflist: conflist, Err: host.ErrUnreachable}); got != (goal.HostTraits{PodCIDR: "10.244.7.0/24"}) {
		t.Errorf("one that does not answer any more: %+v", got)
	}
	if got := seen(Facts{}); got != (goal.HostTraits{}) {
		t.Errorf("one that is clean: %+v", got)
	}
}
