package etcd

import (
	"slices"

	"quorate.dev/quorate/internal/model"
)

// Candidate is a host with whose data etcd might go on.
type Candidate struct {
	Host model.HostID
	Data DiskData
	// Unseen says that it did not answer, so that Data says nothing.
	Unseen bool
	// Unusable says that it answers and cannot be the survivor.
	Unusable bool
	// Superseded says that its data is of a cluster that an earlier recovery has superseded.
	Superseded bool
	// Recorded says that an earlier run has chosen it and was cut short.
	Recorded bool
}

// Survivor is the host with whose data etcd goes on.
type Survivor struct {
	Host model.HostID // "": there is none
	// MayHoldMore are the hosts that were not seen, or not read whole: what they
	// acknowledged beyond the survivor's data is lost with them.
	MayHoldMore []model.HostID
}

// ChooseSurvivor finds the host from whose disk most comes back. What an earlier
// run has recorded stands. Otherwise data that was not superseded comes first,
// then data that can be read whole, then the further position of the log; the
// revision and the name decide between equals, so that all runs choose alike.
func ChooseSurvivor(all []Candidate) (s Survivor) {
	best := Candidate{}
	for _, c := range all {
		if c.Unseen || c.Data.There && c.Data.Problem != "" && !c.Superseded {
			s.MayHoldMore = append(s.MayHoldMore, c.Host)
		}
		if !c.Unseen && !c.Unusable && c.Data.There && (best.Host == "" || better(c, best)) {
			best = c
		}
	}
	s.Host = best.Host
	s.MayHoldMore = slices.DeleteFunc(s.MayHoldMore, func(id model.HostID) bool { return id == best.Host })
	slices.Sort(s.MayHoldMore)
	return s
}

// better says that a is to be chosen rather than b.
func better(a, b Candidate) bool {
	whole := func(c Candidate) bool { return c.Data.Problem == "" }
	switch {
	case a.Recorded != b.Recorded:
		return a.Recorded
	case a.Superseded != b.Superseded:
		return b.Superseded
	case whole(a) != whole(b):
		return whole(a)
	case a.Data.Position != b.Data.Position:
		return b.Data.Position.Before(a.Data.Position)
	case a.Data.Revision != b.Data.Revision:
		return a.Data.Revision > b.Data.Revision
	}
	return a.Host < b.Host
}
