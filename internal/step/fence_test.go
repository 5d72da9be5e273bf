package step

import (
	"testing"

	"quorate.dev/quorate/internal/model"
)

// Who is let in again: nobody with old data, nor who asks one that may have it.
func TestHarmless(t *testing.T) {
	c := model.New("t")
	put := func(id model.HostID, data bool, m model.Member, asks ...model.HostID) {
		h := model.Host{Reached: model.Is(true)}
		h.Etcd = model.EtcdState{Data: model.Is(data), Member: model.Is(m)}
		if len(asks) > 0 {
			h.Components[model.APIServer].Running, h.EtcdVia = model.Is("a"),
				model.Is(model.Way{Kind: model.EachDirectly, Backends: model.SetOf(asks...)})
		}
		c.Put(id, h)
	}
	put("new", true, model.Voter, "new")
	put("old", true, model.NoMember, "old")
	put("empty", false, model.NoMember)
	put("joined", true, model.Learner, "new")
	put("asks-old", false, model.NoMember, "new", "old")
	put("asks-dead", false, model.NoMember, "new", "dead")
	put("asks-new", false, model.NoMember, "new")
	c.Put("dead", model.Host{})
	for id, want := range map[model.HostID]bool{"old": false, "dead": false, "empty": true, "joined": true, "asks-old": false,
		"asks-dead": false, "asks-new": true, "unheard": false} {
		if got := harmless(c, id); got != want {
			t.Errorf("%s: %t", id, got)
		}
	}
}
