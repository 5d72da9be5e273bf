package etcd

import (
	"strings"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/topology"
)

// What of etcd lies where, and the ports it listens on.
const (
	ServiceName = "etcd"
	Binary      = "/opt/quorate/bin/etcd"
	DataDir     = "/var/lib/etcd" // the WAL is inside, in member/wal
	InitialPath = "/etc/kubernetes/etcd-initial.env"
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

const (
	// BootstrapPath overrides InitialPath for one birth; it is gone once the member
	// is ready, and after a reboot.
	BootstrapPath = "/run/quorate/etcd-birth.env"
	// BootstrappedPath says that an etcd has been ready on this host once, whatever
	// became of its data: an empty member is then a lost one, not a new one.
	BootstrappedPath = "/etc/quorate/etcd-begun"
)

// BootstrapFile tells a member without data whom to come to life with.
func BootstrapFile(state State, members []topology.Node) host.File {
	var urls []string
	for _, m := range members {
		urls = append(urls, m.Name+"="+PeerURL(m))
	}
	return host.File{Path: BootstrapPath, Mode: 0o644, Content: []byte("ETCD_INITIAL_CLUSTER=" + strings.Join(urls, ",") +
		"\nETCD_INITIAL_CLUSTER_STATE=" + string(state) + "\n")}
}
