package etcd

import (
	"crypto/sha1"
	"encoding/binary"
	"slices"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/topology"
)

// NewClusterID is the id that a new cluster of these members gets. etcd derives
// it from what the members are started with: a member's id from its peer URL
// and the initial-cluster-token, the cluster's id from those
// (go.etcd.io/etcd/server/v3/etcdserver/api/membership: computeMemberID,
// RaftCluster.genID). It never changes, whoever joins or leaves later.
func NewClusterID(token string, at layout.Etcd, members []topology.Node) uint64 {
	var ids []uint64
	for _, m := range members {
		sum := sha1.Sum([]byte(at.PeerURL(m.Address) + token))
		ids = append(ids, binary.BigEndian.Uint64(sum[:8]))
	}
	slices.Sort(ids)
	var all []byte
	for _, id := range ids {
		all = binary.BigEndian.AppendUint64(all, id)
	}
	sum := sha1.Sum(all)
	return binary.BigEndian.Uint64(sum[:8])
}
