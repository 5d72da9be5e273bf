package component_test

import (
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/component/componenttest"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/workload"
)

// A component is the same as unit and as static pod: the same flags and files.
func TestPodsAreWhatUnitsAre(t *testing.T) {
	ctx := componenttest.Prod("cp2")
	ctx.Members, ctx.ImageEtcd, ctx.ImageAPIServer = ctx.EtcdMembers, "registry.k8s.io/etcd:3.6.8-0", "registry.k8s.io/kube-apiserver:v1.36.3"
	for _, v := range []model.Component{model.Etcd, model.APIServer} {
		unit, err := component.Table[v].Render(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ctx.Pods[v] = workload.PlainPod
		render, err := component.RendererOf(v, ctx)
		if err != nil {
			t.Fatal(err)
		}
		pod, err := render(ctx)
		if err != nil {
			t.Fatal(err)
		}
		// The unit's user reads copies.
		text := strings.ReplaceAll(unit.Unit, ctx.Layout.Private(v), ctx.Layout.Kubernetes)
		for _, flag := range pod.Argv[1:] {
			if !strings.Contains(text, "  "+flag) {
				t.Errorf("%s: the unit lacks %s", v, flag)
			}
		}
		if n := strings.Count(unit.Unit, "\n  --"); n != len(pod.Argv)-1 {
			t.Errorf("%s: the unit has %d flags, the pod %d", v, n, len(pod.Argv)-1)
		}
		if len(unit.Files) != len(pod.Files) || !slices.Equal(unit.Certs, pod.Certs) {
			t.Errorf("%s: files or certificates differ", v)
		}
		for i, f := range pod.Files {
			if f.Path != unit.Files[i].Path || !strings.Contains(pod.Unit, "path: "+f.Path+"\n") {
				t.Errorf("%s: %s is not shown to the pod", v, f.Path)
			}
		}
	}
	ctx.Pods[model.Scheduler] = workload.StampedPod
	if _, err := component.RendererOf(model.Scheduler, ctx); err == nil {
		t.Error("there is no manifest for a scheduler")
	}
}

// A kubelet that runs static pods watches their folder, and raises etcd's fence
// before it starts etcd.
func TestKubeletOfPods(t *testing.T) {
	ctx := componenttest.Prod("cp2")
	text := func() string {
		s, err := component.Kubelet(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return s.Unit + string(s.Files[1].Content)
	}
	if strings.Contains(text(), "staticPodPath") || strings.Contains(text(), ctx.Layout.Own.Fence) {
		t.Error("a kubelet without static pods knows of them")
	}
	ctx.Pods[model.Etcd] = workload.StampedPod
	if !strings.Contains(text(), "staticPodPath: "+ctx.Layout.Kubelet.Manifests) || !strings.Contains(text(), ctx.Layout.Own.Fence) {
		t.Error("a kubelet with static pods does not know of them")
	}
}
