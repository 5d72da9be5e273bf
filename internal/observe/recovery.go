package observe

import (
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
)

// Recovering says that a recovery is under way.
func (o *Observation) Recovering() bool {
	if o.Goal == nil {
		return false
	}
	_, _, ok := o.Have.Recovering(o.Goal.Want)
	return ok
}

// RecoveryOn is the recovery that is wanted of a host, or else recorded there.
func (o *Observation) RecoveryOn(id model.HostID) (goal.Recovery, bool) {
	if r := o.Goal.Recovery; r != nil && r.At == id {
		return *r, true
	}
	return o.Recorded(id)
}

// Recorded is the recovery that a host has recorded.
func (o *Observation) Recorded(id model.HostID) (goal.Recovery, bool) {
	r := o.Facts[id].Recovery
	if r == nil {
		return goal.Recovery{}, false
	}
	return goal.Recovery{At: id, Recovery: *r, Others: o.Named(o.Goal, r.Outside)}, true
}

// recoveryState is how far a recovery has come on a host.
func (o *Observation) recoveryState(id model.HostID, f Facts) model.RecoveryState {
	s := model.RecoveryState{Aside: f.EtcdReplaced, Unfenced: f.NoFence}
	if r, there := o.Recorded(id); there {
		s.Chosen = r.Model()
	}
	if r, there := o.RecoveryOn(id); there {
		fresh, staged := f.Staged[r.ID]
		s.InPlace = f.Data && f.DataOf == r.ID
		s.Staged = staged && (fresh || r.From != "") && !s.InPlace
	}
	return s
}
