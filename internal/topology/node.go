// Package topology holds the names, addresses and roles of hosts, as everything
// that renders for a host needs them. It reads no file and reaches no host.
package topology

// Node is what a renderer must know of one host of the cluster.
type Node struct {
	Name         string // node name, also the etcd member's name
	Address      string // internal address
	PodCIDR      string // this node's share of the pod network; "" when the controller-manager allocates
	ControlPlane bool
	Worker       bool
	Etcd         bool
	LoadBalancer bool
}
