//go:build lab

package e2e

import (
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
	runs "quorate.dev/quorate/internal/workload"
)

// staticPods is the square of a cluster of one host whose etcd and API server
// are static pods of its kubelet. One tells what it has read by a stamp, the
// other by its command line and by the times of its files.
func staticPods(t *testing.T, c *cluster, all *spec.Cluster, on string) {
	bare := c.traces(t, on)
	file := *all
	file.Metadata.Name = "pods"
	file.Spec.Hosts = slices.DeleteFunc(slices.Clone(all.Spec.Hosts), func(h spec.Host) bool { return h.Name != on })
	file.Spec.Hosts[0].Roles = []string{spec.RoleControlPlane, spec.RoleWorker}
	arts := podArtifacts(t, &file)
	hosts := map[model.HostID]host.Host{model.HostID(on): connection(t, &file, file.Spec.Hosts[0])}
	square(t, engine.New(&file, arts, hosts))
	if got := c.on(t, on, `systemctl is-enabled etcd.service kube-apiserver.service 2>/dev/null; ls /etc/kubernetes/manifests; ls -d /etc/quorate/etcd-bootstrapped; ls -d /run/quorate/etcd-bootstrap.env 2>/dev/null; true`); got != "etcd.yaml\nkube-apiserver.yaml\n/etc/quorate/etcd-bootstrapped" {
		t.Errorf("%s: units, manifests and marks are\n%s", on, got)
	}

	t.Log("a flag of the API server")
	before := c.process(t, on, "kube-apiserver")
	file.Spec.Components = map[string]spec.Component{"kube-apiserver": {ExtraArgs: map[string]spec.Values{"v": {"1"}}}}
	square(t, engine.New(&file, arts, hosts))
	after := c.process(t, on, "kube-apiserver")
	if before == after || !strings.Contains(c.on(t, on, `tr '\0' '\n' </proc/$1/cmdline`, after), "--v=1") {
		t.Errorf("its process was %s and is %s, with no --v=1", before, after)
	}

	t.Log("a file that it reads once has changed since it started")
	etcd := c.process(t, on, "etcd")
	c.on(t, on, `sleep 3; f=/etc/kubernetes/audit-policy.yaml; cp -p $f $f.new; mv $f.new $f`) // same bytes, same mtime
	e := engine.New(&file, arts, hosts)
	p, _, err := e.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Stages) != 1 || len(p.Stages[0].Steps) != 1 || p.Stages[0].Steps[0].About().Kind != "run-kube-apiserver" {
		t.Fatalf("it is not seen that it may have read another audit policy:\n%s", p.Text())
	}
	square(t, e)
	if c.process(t, on, "kube-apiserver") == after || c.process(t, on, "etcd") != etcd {
		t.Error("it was not the API server alone that restarted")
	}

	if err := e.Reset(t.Context(), model.HostID(on)); err != nil {
		t.Fatal(err)
	}
	c.left(t, on, bare)
}

// process is the number of a program's process.
func (c *cluster) process(t *testing.T, on, program string) string {
	t.Helper()
	return c.on(t, on, `pidof "$1"`, program)
}

// podArtifacts are the artefacts of a file whose etcd and API servers are static
// pods: their images are made of programs that are in the store.
func podArtifacts(t *testing.T, file *spec.Cluster) goal.Artifacts {
	t.Helper()
	a := stored(t, file)
	store, err := artifact.OpenStore("")
	if err != nil {
		t.Fatal(err)
	}
	source, err := artifact.NewSource(file.Spec.Artifacts.Source, store, artifact.Trust{}, "")
	if err != nil {
		t.Fatal(err)
	}
	gate, err := source.Fetch(t.Context(), a.Versions, goal.Arch, []string{"etcd-gate"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.Programs = append(a.Programs, gate...)
	if a.Images, err = source.Images(t.Context(), a.Versions, goal.Arch, "staticpods", artifact.StaticPodImages(), nil); err != nil {
		t.Fatal(err)
	}
	a.StaticPods = map[model.Component]runs.PodStyle{model.Etcd: runs.StampedPod, model.APIServer: runs.PlainPod}
	return a
}
