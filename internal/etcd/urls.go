package etcd

import (
	"net"
	"net/url"

	"quorate.dev/quorate/internal/topology"
)

// The ports of an etcd member.
const (
	ClientPort  = "2379"
	PeerPort    = "2380"
	MetricsPort = "2381"
)

// ClientURL is where a node's etcd serves clients.
func ClientURL(n topology.Node) string { return "https://" + net.JoinHostPort(n.Address, ClientPort) }

// PeerURL is where a node's etcd serves its peers.
func PeerURL(n topology.Node) string { return "https://" + net.JoinHostPort(n.Address, PeerPort) }

// Endpoint is the address of a node's etcd, for Connect.
func Endpoint(n topology.Node) string { return net.JoinHostPort(n.Address, ClientPort) }

// HostOf is the address in a peer or client URL.
func HostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return link
	}
	return u.Hostname()
}
