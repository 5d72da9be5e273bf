package goal

import (
	"maps"
	"slices"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/model"
)

// EtcdCluster is the id, in hexadecimal, of the etcd cluster that a host belongs
// to; "" is none, or one that was superseded.
type EtcdCluster struct {
	Data string // by its data
	Way  string // by its way to etcd
}

// etcdCluster is etcd's cluster id: the one that data on hosts belongs to; or,
// where no host with data was seen, the one that ways lead to; or, before there
// is any, the one that a new cluster gets. Where hosts disagree, the first by
// name is taken: that is a conflict, and nothing is changed.
func etcdCluster(ctx component.Context, seen map[model.HostID]HostTraits) string {
	way := ""
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		of := seen[id].EtcdCluster
		if of.Data != "" {
			return of.Data
		}
		if way == "" {
			way = of.Way
		}
	}
	if way != "" {
		return way
	}
	return etcd.HexCluster(etcd.NewClusterID(ctx.Cluster, ctx.Layout.Etcd, ctx.EtcdMembers))
}
