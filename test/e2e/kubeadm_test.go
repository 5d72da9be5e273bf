//go:build lab

package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/spec"
)

// TestKubeadm makes a cluster that is kubeadm's: kubeadm goes on with it by
// hand, and quorate with what was done by hand; then it shrinks, and is taken away.
func TestKubeadm(t *testing.T) {
	c := newCluster(t, "kubeadm", 3, 1)
	c.edit(t, func(f *spec.Cluster) {
		f.Spec.Kubernetes.Flavour = spec.FlavourKubeadm
		w := &f.Spec.Hosts[len(f.Spec.Hosts)-1]
		w.Labels, w.Taints = map[string]string{"example.com/rack": "r1"}, []spec.Taint{{Key: "slow", Effect: "PreferNoSchedule"}}
	})
	only := c.chooser(t)
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.apply(t).want(t, 0).says(t, "nothing to do")
	c.oneEtcd(t, c.controlPlanes()...)
	for _, h := range c.controlPlanes() {
		const want = "etcd.yaml\nkube-apiserver.yaml\nkube-controller-manager.yaml\nkube-scheduler.yaml"
		if got := c.on(t, h, `ls /etc/kubernetes/manifests`); got != want {
			t.Errorf("%s: the manifests are\n%s", h, got)
		}
	}
	for _, s := range []struct {
		name string
		test func(*testing.T, *cluster)
	}{{"settings", settings}, {"access", access}, {"by hand", byHand}} {
		if t.Run(s.name, func(t *testing.T) { s.test(t, c) }); t.Failed() {
			return
		}
	}

	t.Log("manifest, certificate and kubeconfig are gone")
	c.on(t, "cp2", `rm /etc/kubernetes/manifests/kube-scheduler.yaml /etc/kubernetes/pki/apiserver.crt /etc/kubernetes/admin.conf`)
	c.apply(t).want(t, 0)
	c.nothingToDo(t)

	t.Log("three become one")
	only("cp1", "w1")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, "cp1")
	for _, h := range []string{"cp2", "cp3"} {
		if left := c.on(t, h, leftovers); left != "" {
			t.Errorf("%s still has %s", h, left)
		}
	}
	run(t, c.dir, "reset", "--yes", "-f", c.File).want(t, 0)
	for _, h := range []string{"cp1", "w1"} {
		if left := c.on(t, h, leftovers+"; ls /usr/local/bin"); left != "" {
			t.Errorf("%s still has %s", h, left)
		}
	}
}

// TestKubeadmRecover: the etcd of a kubeadm cluster loses its quorum, and comes
// back from a member's data, then from a snapshot.
func TestKubeadmRecover(t *testing.T) {
	if !allChanges {
		t.Skip("only with all changes (make test-all)")
	}
	c := newCluster(t, "kubeadmrecover", 3, 0)
	c.edit(t, func(f *spec.Cluster) { f.Spec.Kubernetes.Flavour = spec.FlavourKubeadm })
	c.apply(t).want(t, 0)
	recovered(t, c, "cp1", "cp2", "cp3")

	snap := strings.TrimSpace(run(t, c.dir, "etcd", "snapshot", "save", "-f", filepath.Base(c.File)).want(t, 0).out)
	c.kubectl(t, "cp1", "create", "configmap", "later", "--from-literal=a=b")
	run(t, c.dir, "etcd", "restore", snap, "--yes", "-f", filepath.Base(c.File)).want(t, 0).says(t, "etcd is back")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, "cp1", "cp2", "cp3")
	for _, h := range c.controlPlanes() {
		c.holds(t, h, "kept", "hidden", "after", "last")
		if list := c.kubectl(t, h, "--server=https://127.0.0.1:6443", "get", "configmaps", "-o", "name"); strings.Contains(list, "later") {
			t.Errorf("%s still has what came after the snapshot:\n%s", h, list)
		}
	}
	c.nodesReady(t, "cp1", c.of("")...)
}
