package engine

import (
	"errors"
	"testing"
	"time"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
)

// A run goes on while members may only have started again, and ends when they
// stay away.
func TestQuorumLostForAWhile(t *testing.T) {
	var notes []string
	w := &work{Engine: &Engine{Events: func(ev Event) { notes = append(notes, ev.Text) }}}
	look := func(lost ...model.HostID) error {
		c := model.New("t")
		for _, id := range []model.HostID{"cp1", "cp2", "cp3"} {
			h := model.Host{Roles: model.EtcdHost, Reached: model.Is(true)}
			h.Etcd = model.EtcdState{Data: model.Is(true), Bootstrapped: model.Is(true), Member: model.Is(model.Voter),
				Healthy: model.Is(len(lost) < 2)}
			h.Components[model.Etcd].Running = model.Is("e")
			for _, l := range lost {
				if l == id {
					h = model.Host{Roles: h.Roles, Etcd: model.EtcdState{Member: model.Is(model.Voter)}}
				}
			}
			c.Put(id, h)
		}
		return w.quorum(&observe.Observation{Have: c})
	}
	if err := errors.Join(look(), look("cp2"), look("cp2", "cp3"), look("cp2", "cp3")); err != nil {
		t.Fatal(err)
	}
	if len(notes) != 1 {
		t.Errorf("it is not told once: %q", notes)
	}
	w.lost = w.lost.Add(-quorumTime - time.Second)
	var lost QuorumLostError
	if err := look("cp2", "cp3"); !errors.As(err, &lost) || err.Error() != "etcd has lost its quorum: cp2 and cp3 do not answer" {
		t.Errorf("%v", err)
	}
	if err := errors.Join(look("cp3"), look("cp1", "cp3")); err != nil {
		t.Errorf("it was back in between: %v", err)
	}
}

// While the only member is too slow to be asked, hosts that are marked as joining
// and have no data are not taken for members that lost it. Who had a vote is.
func TestWhoNeverJoinedLostNothing(t *testing.T) {
	for before, want := range map[model.Member]bool{model.NoMember: false, model.Voter: true} {
		w := &work{Engine: &Engine{Events: func(Event) {}}}
		look := func(slow bool) bool {
			c := model.New("t")
			for _, id := range []model.HostID{"cp1", "cp2", "cp3"} {
				h := model.Host{Roles: model.EtcdHost, Reached: model.Is(true)}
				h.Etcd = model.EtcdState{Data: model.Is(id == "cp1"), Bootstrapped: model.Is(true), Member: model.Is(model.Voter),
					Healthy: model.Is(!slow)}
				h.Components[model.Etcd].Running = model.Is("e")
				if id != "cp1" {
					h.Etcd.Member = model.Is(before)
				}
				if slow {
					h.Etcd.Member = model.Unknown[model.Member]("no member of etcd answers")
				}
				c.Put(id, h)
			}
			if err := w.quorum(&observe.Observation{Have: c}); err != nil {
				t.Fatal(err)
			}
			return !w.lost.IsZero()
		}
		if look(false) {
			t.Errorf("%v: lost while all answer", before)
		}
		if look(true) != want {
			t.Errorf("%v: lost is not %v", before, want)
		}
	}
}
