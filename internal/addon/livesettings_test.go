package addon

import (
	"context"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"quorate.dev/quorate/internal/kubeapi"
)

// settings: labels and taints of the file come and go, and those of others stay.
func (l *live) settings(ctx context.Context, t *testing.T, c *kubeapi.Client) {
	others := map[string]any{"metadata": map[string]any{"labels": map[string]string{"theirs": "x"}},
		"spec": map[string]any{"taints": []corev1.Taint{{Key: "theirs", Effect: corev1.TaintEffectNoSchedule}}}}
	if err := c.MergeInto(ctx, kubeapi.NodePath("w1"), others); err != nil {
		t.Fatal(err)
	}
	gpu := corev1.Taint{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}
	gpuValue := gpu
	gpuValue.Value = "a100"
	var before kubeapi.NodeSettings
	for _, want := range []kubeapi.NodeSettings{
		{Labels: map[string]string{"rack": "r1", "empty": ""}, Taints: []corev1.Taint{gpu}},
		{Labels: map[string]string{"rack": "r2"}, Taints: []corev1.Taint{gpuValue, {Key: "gpu", Effect: corev1.TaintEffectNoExecute}}},
		{Labels: map[string]string{"rack": "r2"}},
		{},
	} {
		if n := l.node(ctx, t, c); n.Fits(want) || !n.Fits(before) {
			t.Fatalf("before %+v: %+v", want, n)
		}
		for range 2 {
			if err := c.Configure(ctx, "w1", want); err != nil {
				t.Fatal(err)
			}
		}
		n := l.node(ctx, t, c)
		ours := func(o corev1.Taint) bool { return o.Key == "gpu" }
		mine := slices.DeleteFunc(slices.Clone(n.Taints), func(o corev1.Taint) bool { return !ours(o) })
		_, empty := n.Labels["empty"]
		_, wantEmpty := want.Labels["empty"]
		if !n.Fits(want) || n.Labels["rack"] != want.Labels["rack"] || empty != wantEmpty || len(mine) != len(want.Taints) {
			t.Fatalf("after %+v: %+v", want, n)
		}
		theirs := slices.ContainsFunc(n.Taints, func(o corev1.Taint) bool { return o.Key == "theirs" })
		if n.Labels["theirs"] != "x" || !theirs {
			t.Fatalf("after %+v what others have set is gone: %+v", want, n)
		}
		before = want
	}
	if err := c.MergeInto(ctx, kubeapi.NodePath("w1"), map[string]any{"spec": map[string]any{"taints": nil}}); err != nil {
		t.Fatal(err)
	}
}

func (l *live) node(ctx context.Context, t *testing.T, c *kubeapi.Client) kubeapi.NodeStatus {
	t.Helper()
	nodes, err := c.Nodes(ctx)
	if err != nil || len(nodes) != 1 {
		t.Fatalf("%v, %v", nodes, err)
	}
	return nodes[0]
}
