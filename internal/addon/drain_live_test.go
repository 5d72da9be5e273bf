package addon

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"quorate.dev/quorate/internal/kubeapi"
)

// drain takes a node w1 and its pods through what a drain does. No kubelet is
// there, so that what is told to end stays as ending.
func (l *live) drain(ctx context.Context, t *testing.T, c *kubeapi.Client) {
	meta := func(name, owner string) metav1.ObjectMeta {
		m := metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"app": name}}
		if owner != "" {
			yes := true
			m.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: owner, Name: "o", UID: "7", Controller: &yes}}
		}
		return m
	}
	pod := func(m metav1.ObjectMeta) runtime.Object {
		return &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: m,
			Spec: corev1.PodSpec{NodeName: "w1", Containers: []corev1.Container{{Name: "a", Image: "x"}}}}
	}
	one := intstr.FromInt32(1)
	mirror := meta("mirror", "Node")
	mirror.Annotations = map[string]string{kubeapi.MirrorPodKey: "x"}
	objects := []runtime.Object{
		pod(meta("web", "")),
		pod(meta("every", "DaemonSet")), pod(mirror),
		&policyv1.PodDisruptionBudget{TypeMeta: metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
			ObjectMeta: meta("web", ""),
			Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &one,
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}},
	}
	l.eventually(t, "the default service account is there", func() error { return c.Apply(ctx, objects) })
	if err := c.Rest.Patch("application/merge-patch+json").AbsPath("/api/v1/namespaces/default/pods/web/status").
		Body([]byte(`{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}`)).Do(ctx).Error(); err != nil {
		t.Fatal(err)
	}
	web := kubeapi.Pod{Namespace: "default", Name: "web", Naked: true}
	pods, err := c.PodsOn(ctx, "w1")
	if err != nil || len(pods) != 1 || pods[0] != web {
		t.Fatalf("to move are %v, %v; want %v", pods, err, web)
	}
	l.eventually(t, "the budget holds the pod", func() error {
		raw, err := c.Rest.Get().AbsPath("/apis/policy/v1/namespaces/default/poddisruptionbudgets/web").Do(ctx).Raw()
		if err == nil && !strings.Contains(string(raw), `"currentHealthy":1`) {
			err = fmt.Errorf("%s", raw)
		}
		return err
	})
	held, err := c.Evict(ctx, web)
	if err != nil || !strings.Contains(held, "disruption budget") {
		t.Errorf("held by %q, %v", held, err)
	}
	if err := c.Delete(ctx, objects[3:]); err != nil {
		t.Fatal(err)
	}
	l.eventually(t, "the pod may end", func() error {
		if held, err = c.Evict(ctx, web); err == nil && held != "" {
			err = fmt.Errorf("held by %s", held)
		}
		return err
	})
	if pods, err = c.PodsOn(ctx, "w1"); err != nil || len(pods) != 1 || !pods[0].Ending {
		t.Errorf("then %v, %v", pods, err)
	}
	if held, err := c.Evict(ctx, kubeapi.Pod{Namespace: "default", Name: "nobody"}); held != "" || err != nil {
		t.Errorf("a pod that is gone: %q, %v", held, err)
	}
	l.cordons(ctx, t, c)
	if err := c.Rest.Delete().AbsPath("/api/v1/namespaces/default/pods/web").Param("gracePeriodSeconds", "0").Do(ctx).Error(); err != nil {
		t.Fatal(err)
	}
	if pods, err = c.PodsOn(ctx, "w1"); err != nil || len(pods) != 0 {
		t.Errorf("left are %v, %v", pods, err)
	}
}

// cordons: what is ours is taken back, what is a person's stays.
func (l *live) cordons(ctx context.Context, t *testing.T, c *kubeapi.Client) {
	state := func() kubeapi.NodeStatus {
		t.Helper()
		nodes, err := c.Nodes(ctx)
		if err != nil || len(nodes) != 1 {
			t.Fatalf("%v, %v", nodes, err)
		}
		return nodes[0]
	}
	for _, by := range []string{"us", "somebody"} {
		if by == "somebody" {
			if err := c.MergeInto(ctx, kubeapi.NodePath("w1"), map[string]any{"spec": map[string]any{"unschedulable": true}}); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []bool{true, false} {
			if changed, err := c.Cordon(ctx, "w1"); err != nil || changed != want {
				t.Fatalf("cordon: %v, %v", changed, err)
			}
		}
		if err := c.GiveUpDrain(ctx, "w1"); err != nil {
			t.Fatal(err)
		}
		if n := state(); !n.Leaving || !n.Unschedulable || !n.GivenUp {
			t.Errorf("cordoned: %+v", n)
		}
		for range 2 {
			if err := c.Uncordon(ctx, "w1"); err != nil {
				t.Fatal(err)
			}
		}
		if n := state(); n.Leaving || n.GivenUp || n.Unschedulable != (by == "somebody") {
			t.Errorf("cordoned by %s, then not leaving: %+v", by, n)
		}
	}
}
