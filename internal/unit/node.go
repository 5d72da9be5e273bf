package unit

// Node is what a renderer must know of one host of the cluster.
type Node struct {
	Name         string // node name, also the etcd member's name
	Address      string // internal address
	PodCIDR      string // this node's share of the pod network; "" when the controller-manager allocates
	ControlPlane bool
	Worker       bool
	Etcd         bool
}
