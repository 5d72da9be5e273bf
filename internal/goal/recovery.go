package goal

import (
	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/model"
)

// Recovery is a goal beside the file's: this survivor, this data.
type Recovery struct {
	At   model.HostID
	File string // the snapshot on this machine, if it is one
	Path string // or on the survivor
	etcd.Recovery
	Others model.HostSet // whose the addresses outside are
}

// Model is the recovery as the planner sees it.
func (r Recovery) Model() model.Recovery {
	return model.Recovery{ID: r.ID, Own: r.From == "", Supersedes: model.SetOf(r.Supersedes...), Others: r.Others}
}

// Recovering completes what was seen while a recovery is under way. Who does not
// answer has no part in the new etcd, once that has its data nobody else has, and what only an API server could tell is
// taken to be as the data will say, as far as one can see.
func Recovering(have *model.Cluster, want model.Cluster) {
	_, at, ok := have.Recovering(want)
	if !ok {
		return
	}
	inPlace := have.Hosts[at].Etcd.Recovery.InPlace
	for _, id := range have.IDs() {
		h := have.Hosts[id]
		if id != at && (!h.IsParty() || inPlace && !h.Etcd.Member.Known()) {
			h.Etcd.Member = model.Is(model.NoMember)
		}
		if h.Roles.Node() && !h.Node.Registered.Known() {
			up := h.Runs(model.Kubelet) || !h.Up()
			h.Node = model.NodeState{Registered: model.Is(up), Ready: model.Is(up && h.Up()), Configured: model.Is(up), Drained: model.Is(false)}
		}
		have.Put(id, h)
	}
	for name, a := range have.Addons {
		if !a.Known() {
			have.Addons[name] = want.Addons[name]
		}
	}
}
