package etcd

import (
	"strings"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/topology"
)

// State is --initial-cluster-state.
type State string

// The states. New only for the first start of a cluster's founding members;
// every other start is Existing. With New left on disk, a lone member that
// lost its data would silently come up as an empty cluster; with Existing it
// refuses.
const (
	New      State = "new"
	Existing State = "existing"
)

// BootstrapFile tells a member without data whom to come to life with. It is
// gone once the member is ready, and after a reboot.
func BootstrapFile(at layout.Etcd, state State, members []topology.Node) host.File {
	var urls []string
	for _, m := range members {
		urls = append(urls, m.Name+"="+at.PeerURL(m.Address))
	}
	return host.File{Path: at.Bootstrap, Mode: 0o644, Content: []byte("ETCD_INITIAL_CLUSTER=" + strings.Join(urls, ",") +
		"\nETCD_INITIAL_CLUSTER_STATE=" + string(state) + "\n")}
}
