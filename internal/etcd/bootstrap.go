package etcd

import (
	"net/url"
	"strings"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/unit"
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
func BootstrapFile(state State, members []unit.Node) host.File {
	var urls []string
	for _, m := range members {
		urls = append(urls, m.Name+"="+PeerURL(m))
	}
	return host.File{Path: BootstrapPath, Mode: 0o644, Content: []byte("ETCD_INITIAL_CLUSTER=" + strings.Join(urls, ",") +
		"\nETCD_INITIAL_CLUSTER_STATE=" + string(state) + "\n")}
}

// HostOf is the address in a peer or client URL.
func HostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return link
	}
	return u.Hostname()
}
