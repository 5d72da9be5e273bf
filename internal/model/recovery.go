package model

// Recovery is the choice of the data with which etcd goes on as a new cluster of
// one member. It is recorded on the survivor before anything is set aside.
type Recovery struct {
	ID         string      // of the new etcd cluster, in hexadecimal; "": there is no recovery
	Own        bool        // with the data of the survivor's own member; else with a snapshot
	Supersedes Set[string] // ids of the clusters that end with it
	Others     HostSet     // hosts that had to do with those: a fence keeps them from the new etcd
}

// RecoveryState is how far a recovery has come on its survivor.
type RecoveryState struct {
	Chosen   Recovery // as it is recorded there
	Staged   bool     // its data lies ready beside etcd's, and nothing was added to that since
	InPlace  bool     // etcd's data is of the new cluster
	Aside    bool     // what etcd held before lies beside it, not yet where it is kept
	Unfenced bool     // the host can put up no fence; that was tried
}

// IsBinding says that there is no way back: etcd's data has been taken out of its place.
func (r RecoveryState) IsBinding() bool { return r.Chosen.ID != "" && (r.Aside || r.InPlace) }

// Recovering is the recovery that is under way, and its survivor: the wanted
// one, or one that was cut short when there was no way back any more. It is
// over once the survivor knows which clusters are superseded, which is recorded
// there last; from then on the others join.
func (c Cluster) Recovering(want Cluster) (r Recovery, at HostID, ok bool) {
	r, at = want.Recovery, want.Survivor
	if at == "" {
		for _, id := range c.critical {
			if h := c.Hosts[id]; h.Up() && h.Etcd.Recovery.IsBinding() && !h.recovered(h.Etcd.Recovery.Chosen) {
				r, at = h.Etcd.Recovery.Chosen, id
				break
			}
		}
	}
	h := c.Hosts[at]
	return r, at, at != "" && !h.recovered(r)
}

func (h *Host) recovered(r Recovery) bool {
	return h.Etcd.Recovery.InPlace && r.Supersedes.Without(h.Etcd.Superseded).IsEmpty()
}

// IsParty says that a host of this cluster answers: in a recovery, it stops what
// knows the old etcd. One that holds no keys of the cluster is left alone.
func (h *Host) IsParty() bool {
	k, known := h.Keys.Get()
	return h.Up() && known && (k == SharedKeys || k == PublicKeys || k == PartialKeys)
}
