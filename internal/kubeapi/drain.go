package kubeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A node that leaves says so in annotations. The first also says whose the
// cordon is: what a person has cordoned is not ours to open again.
const (
	leavingKey   = "quorate.dev/leaving"
	givenUpKey   = "quorate.dev/drain-given-up"
	byUs         = "cordoned"
	bySomebody   = "was-cordoned"
	MirrorPodKey = "kubernetes.io/config.mirror"
)

// Pod is a pod that a drain must move away.
type Pod struct {
	Namespace, Name string
	// Ending says that it was told to end already.
	Ending bool
	// Naked says that no controller would start it anew elsewhere.
	Naked bool
}

func (p Pod) String() string { return p.Namespace + "/" + p.Name }

// PodsOn are the pods of a node that a drain must move away: all but those of
// DaemonSets, the kubelet's own and those that have ended.
func (c *Client) PodsOn(ctx context.Context, node string) ([]Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var list corev1.PodList
	if err := c.Rest.Get().AbsPath("/api/v1/pods").Param("fieldSelector", "spec.nodeName="+node).Do(ctx).Into(&list); err != nil {
		return nil, c.failed("list the pods of "+node, err)
	}
	var out []Pod
	for i := range list.Items {
		p := &list.Items[i]
		owner := metav1.GetControllerOf(p)
		_, mirror := p.Annotations[MirrorPodKey]
		if mirror || owner != nil && owner.Kind == "DaemonSet" || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		out = append(out, Pod{Namespace: p.Namespace, Name: p.Name, Ending: p.DeletionTimestamp != nil, Naked: owner == nil})
	}
	return out, nil
}

// Cordon lets no more pods be scheduled to a node, and marks it as leaving. It
// says whether that is new: a pod may still be on its way there.
func (c *Client) Cordon(ctx context.Context, node string) (changed bool, err error) {
	var n corev1.Node
	if err := c.get(ctx, NodePath(node), &n); err != nil {
		return false, err
	}
	whose := n.Annotations[leavingKey]
	if whose == "" && n.Spec.Unschedulable {
		whose = bySomebody
	}
	if whose == "" {
		whose = byUs
	}
	if n.Spec.Unschedulable && n.Annotations[leavingKey] == whose {
		return false, nil
	}
	return true, c.MergeInto(ctx, NodePath(node), map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{leavingKey: whose}},
		"spec":     map[string]any{"unschedulable": true},
	})
}

// Uncordon takes back what Cordon has done, and nothing that a person did.
func (c *Client) Uncordon(ctx context.Context, node string) error {
	var n corev1.Node
	if err := c.get(ctx, NodePath(node), &n); err != nil {
		return err
	}
	whose := n.Annotations[leavingKey]
	if whose == "" {
		return nil
	}
	change := map[string]any{"metadata": map[string]any{"annotations": map[string]any{leavingKey: nil, givenUpKey: nil}}}
	if whose == byUs {
		change["spec"] = map[string]any{"unschedulable": nil}
	}
	return c.MergeInto(ctx, NodePath(node), change)
}

// GiveUpDrain notes that the pods still on a leaving node are not waited for.
func (c *Client) GiveUpDrain(ctx context.Context, node string) error {
	return c.MergeInto(ctx, NodePath(node), map[string]any{"metadata": map[string]any{"annotations": map[string]any{givenUpKey: "true"}}})
}

// Evict asks for a pod to end, as its disruption budgets allow it; held is why
// they do not allow it now. That it is gone is fine.
func (c *Client) Evict(ctx context.Context, p Pod) (held string, err error) {
	body, err := json.Marshal(&policyv1.Eviction{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "Eviction"},
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name},
	})
	if err != nil {
		return "", fmt.Errorf("write the eviction of %s: %w", p, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// No retries of the client's: "too many" is an answer here.
	err = c.Rest.Post().AbsPath("/api/v1/namespaces/" + p.Namespace + "/pods/" + p.Name + "/eviction").MaxRetries(0).Body(body).Do(ctx).Error()
	var status *apierrors.StatusError
	switch {
	case err == nil, apierrors.IsNotFound(err):
		return "", nil
	case errors.As(err, &status) && (apierrors.IsTooManyRequests(err) || apierrors.IsForbidden(err) || apierrors.IsInternalError(err)):
		// Also several budgets for one pod (500), and a namespace that ends (403).
		why := []string{status.ErrStatus.Message}
		if d := status.ErrStatus.Details; d != nil {
			for _, cause := range d.Causes {
				why = append(why, cause.Message)
			}
		}
		return strings.Join(why, " "), nil
	}
	return "", c.failed("evict "+p.String(), err)
}
