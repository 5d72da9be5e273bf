package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
)

const (
	// glanceEvery is how often all hosts are looked at while steps are at work.
	glanceEvery = 15 * time.Second
	// quorumTime is how long a run goes on after etcd's quorum was lost: members
	// that only started again are back by then.
	quorumTime = time.Minute
)

// QuorumLostError ends a run in whose course etcd lost its quorum for good: what is
// left would wait in vain.
type QuorumLostError struct{ Have model.Cluster }

func (q QuorumLostError) Error() string {
	return "etcd has lost its quorum: " + lostMembers(q.Have)
}

// lostMembers says what of etcd's members is missing.
func lostMembers(c model.Cluster) string {
	var names []string
	for _, id := range c.SilentMembers() {
		names = append(names, string(id))
	}
	switch len(names) {
	case 0:
		return "too many of its members have no usable data"
	case 1:
		return names[0] + " does not answer"
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last] + " do not answer"
}

// glance looks at all hosts, and lets none that is silent hold up the others.
func (w *work) glance(ctx context.Context) (*observe.Observation, error) {
	w.looked = time.Now()
	return w.eyes.Glance(ctx, true)
}

// quorumLost judges by what was seen and by what runs: a member that is just being
// started may be listed already, while its host was seen before it had data.
func (w *work) quorumLost(have model.Cluster) bool {
	if !have.QuorumLost() {
		return false
	}
	paper := have.Clone()
	for _, id := range paper.IDs() {
		if w.outside[id] && !paper.Hosts[id].Etcd.Member.Known() {
			paper.Edit(id, func(h *model.Host) { h.Etcd.Member = model.Is(model.NoMember) })
		}
	}
	for _, s := range w.steps() {
		s.Interim(&paper)
	}
	return paper.QuorumLost()
}

// members remembers who was no member of etcd when that was last known. While
// etcd is too slow to be asked, a host that is marked as joining looks like a
// member without data; before it has a vote, the members are read again.
func (w *work) members(have model.Cluster) {
	if w.outside == nil {
		w.outside = map[model.HostID]bool{}
	}
	for id, h := range have.Hosts {
		if m, known := h.Etcd.Member.Get(); known {
			w.outside[id] = m == model.NoMember
		}
	}
}

// quorum ends the run some time after etcd's quorum was lost.
func (w *work) quorum(ob *observe.Observation) error {
	w.members(ob.Have)
	switch {
	case ob.Recovering() || !w.quorumLost(ob.Have):
		w.lost = time.Time{}
	case w.lost.IsZero():
		w.lost = time.Now()
		w.tell(Event{Kind: Note, Text: fmt.Sprintf("etcd has lost its quorum: %s; waiting up to %s for members to come back",
			lostMembers(ob.Have), quorumTime)})
	case time.Since(w.lost) > quorumTime:
		return QuorumLostError{ob.Have}
	}
	return nil
}
