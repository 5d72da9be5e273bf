package engine

import (
	"maps"

	"quorate.dev/quorate/internal/model"
)

// applied is what was last seen of the cluster's objects in this run. While no
// API server answers, they are as they were: what was applied is not applied
// again, and does not count as reverted.
type applied map[string]model.Known[model.Installed]

// keep puts what was seen last in the place of what is unknown now.
func (a applied) keep(have *model.Cluster) {
	addons := maps.Clone(have.Addons) // never in place: see model.Cluster.Try
	for name, is := range addons {
		if is.Known() {
			a[name] = is
		} else if was, seen := a[name]; seen {
			addons[name] = was
		}
	}
	have.Addons = addons
}
