package kubeapi

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/retry"
)

// NodeSettings are the labels and taints that the cluster file gives a node.
type NodeSettings struct {
	Labels map[string]string
	Taints []corev1.Taint
}

// settingsKey annotates a node with the names of the labels and taints that come
// from the file, so that one that leaves the file is known to have come from it.
const settingsKey = "quorate.dev/settings"

const (
	labelMark = "label:"
	taintMark = "taint:"
)

func taintName(t corev1.Taint) string { return t.Key + ":" + string(t.Effect) }

// mark is the value of the annotation; "" is none.
func (s NodeSettings) mark() string {
	var names []string
	for key := range s.Labels {
		names = append(names, labelMark+key)
	}
	for _, t := range s.Taints {
		names = append(names, taintMark+taintName(t))
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// Fits says that a node has the settings, and none that the file gave it before.
// What others have set beside them does not count.
func (n NodeStatus) Fits(s NodeSettings) bool {
	for key, value := range s.Labels {
		if got, there := n.Labels[key]; !there || got != value {
			return false
		}
	}
	for _, t := range s.Taints {
		if !slices.ContainsFunc(n.Taints, func(o corev1.Taint) bool { return taintName(o) == taintName(t) && o.Value == t.Value }) {
			return false
		}
	}
	return n.settings == s.mark()
}

// Configure gives a node its settings, and takes away those that the file gave it
// before and does not any more. The node may change meanwhile, its kubelet and
// the controllers write to it: then it is read again.
func (c *Client) Configure(ctx context.Context, node string, s NodeSettings) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error { return c.configure(ctx, node, s) })
}

func (c *Client) configure(ctx context.Context, node string, s NodeSettings) error {
	var n corev1.Node
	if err := c.get(ctx, NodePath(node), &n); err != nil {
		return err
	}
	if statusOf(n).Fits(s) {
		return nil
	}
	labels, before := map[string]any{}, strings.Split(n.Annotations[settingsKey], ",")
	for _, name := range before {
		if key, is := strings.CutPrefix(name, labelMark); is {
			labels[key] = nil
		}
	}
	for key, value := range s.Labels {
		labels[key] = value
	}
	taints := slices.DeleteFunc(slices.Clone(n.Spec.Taints), func(t corev1.Taint) bool {
		return slices.Contains(before, taintMark+taintName(t)) ||
			slices.ContainsFunc(s.Taints, func(o corev1.Taint) bool { return taintName(o) == taintName(t) })
	})
	var mark any // null takes the annotation away
	if m := s.mark(); m != "" {
		mark = m
	}
	return c.MergeInto(ctx, NodePath(node), map[string]any{
		// Taints are replaced as a whole: not over what somebody has set meanwhile.
		"metadata": map[string]any{"resourceVersion": n.ResourceVersion, "labels": labels, "annotations": map[string]any{settingsKey: mark}},
		"spec":     map[string]any{"taints": append(taints, s.Taints...)},
	})
}
