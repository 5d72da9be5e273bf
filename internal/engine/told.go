package engine

import (
	"maps"

	"quorate.dev/quorate/internal/model"
)

// told is what API servers said last in this run, of nodes and of the cluster's
// objects. While none answers, these are as they were: what was done is not done
// again, and does not count as reverted.
type told struct {
	addons map[string]model.Known[model.Installed]
	nodes  map[model.HostID]model.NodeState
}

func newTold() told {
	return told{map[string]model.Known[model.Installed]{}, map[model.HostID]model.NodeState{}}
}

// keep puts what was said last in the place of what is unknown now.
func (t told) keep(have *model.Cluster) {
	addons := maps.Clone(have.Addons) // never in place: see model.Cluster.Try
	for name, is := range addons {
		if is.Known() {
			t.addons[name] = is
		} else if was, said := t.addons[name]; said {
			addons[name] = was
		}
	}
	have.Addons = addons
	for id, h := range have.Hosts {
		if h.Node.Registered.Known() {
			t.nodes[id] = h.Node
		} else if was, said := t.nodes[id]; said {
			have.Edit(id, func(h *model.Host) { h.Node = was })
		}
	}
}
