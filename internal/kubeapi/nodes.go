package kubeapi

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ControlPlaneLabel marks the nodes of the control plane; the taint of the same
// key keeps ordinary pods away (k8s.io/kubernetes cmd/kubeadm/app/constants). A
// kubelet may not set the label on itself (NodeRestriction).
const ControlPlaneLabel = "node-role.kubernetes.io/control-plane"

// NodeStatus is what an API server knows of one node.
type NodeStatus struct {
	Name          string
	Ready         bool
	Unschedulable bool
	Address       string // InternalIP
	PodCIDR       string
	Since         time.Time // when it registered
	Version       string    // of its kubelet
	Labels        map[string]string
	Taints        []corev1.Taint
	Leaving       bool // quorate has cordoned it, since it leaves
	GivenUp       bool // its drain was given up

	settings string // see NodeSettings
}

// Nodes are all nodes of the cluster.
func (c *Client) Nodes(ctx context.Context) ([]NodeStatus, error) {
	var list corev1.NodeList
	if err := c.get(ctx, "/api/v1/nodes", &list); err != nil {
		return nil, err
	}
	var out []NodeStatus
	for _, n := range list.Items {
		out = append(out, statusOf(n))
	}
	return out, nil
}

func statusOf(n corev1.Node) NodeStatus {
	s := NodeStatus{Name: n.Name, Unschedulable: n.Spec.Unschedulable, PodCIDR: n.Spec.PodCIDR, Since: n.CreationTimestamp.Time,
		Version: n.Status.NodeInfo.KubeletVersion, Labels: n.Labels, Taints: n.Spec.Taints, settings: n.Annotations[settingsKey]}
	s.Leaving, s.GivenUp = n.Annotations[leavingKey] != "", n.Annotations[givenUpKey] != ""
	s.Ready = ready(n)
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP && s.Address == "" {
			s.Address = a.Address
		}
	}
	return s
}

// NodeReady says whether the kubelet of a node reports that all is well. It is
// false within a minute of its silence.
func (c *Client) NodeReady(ctx context.Context, node string) (bool, error) {
	var n corev1.Node
	err := c.get(ctx, NodePath(node), &n)
	return ready(n), err
}

func ready(n corev1.Node) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// SetPodCIDR gives a node its share of the pod network. A node keeps what it
// once got: the API server allows no change.
func (c *Client) SetPodCIDR(ctx context.Context, node, cidr string) error {
	var n corev1.Node
	if err := c.get(ctx, NodePath(node), &n); err != nil {
		return err
	}
	switch n.Spec.PodCIDR {
	case cidr:
		return nil
	case "":
		return c.MergeInto(ctx, NodePath(node), map[string]any{"spec": map[string]any{"podCIDR": cidr, "podCIDRs": []string{cidr}}})
	}
	return c.failed("set the pod network of "+node,
		fmt.Errorf("it has %s and cannot get %s; delete the node and let its kubelet register anew", n.Spec.PodCIDR, cidr))
}

// LabelControlPlane marks a node as one of the control plane.
func (c *Client) LabelControlPlane(ctx context.Context, node string) error {
	return c.MergeInto(ctx, NodePath(node), map[string]any{"metadata": map[string]any{"labels": map[string]string{ControlPlaneLabel: ""}}})
}

// DeleteNode removes the node's object; that there is none is fine.
func (c *Client) DeleteNode(ctx context.Context, node string) error {
	return c.remove(ctx, NodePath(node))
}

func NodePath(name string) string { return "/api/v1/nodes/" + name }

func (c *Client) MergeInto(ctx context.Context, path string, change map[string]any) error {
	body, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("write change of %s: %w", path, err)
	}
	return c.patch(ctx, path, types.MergePatchType, body)
}
