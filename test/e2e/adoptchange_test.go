//go:build lab

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/spec"
)

// TestAdoptChange: to a lone control plane of others a worker is joined; it gets an
// endpoint, load balancers and two more control planes, one of which leaves again. Of
// the hosts that were found only what that needs is changed, and the cluster goes on
// while the first control plane is off.
func TestAdoptChange(t *testing.T) {
	if !allChanges {
		t.Skip("only with all changes (make test-all)")
	}
	c := newCluster(t, "adoptchange", 3, 2)
	endpoint := c.adopted(t, "", "cp1", "w1")

	t.Log("a worker joins")
	c.joins(t, "w2", spec.RoleWorker)
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.networked(t, "cp1", "w1", "w2")

	t.Log("an endpoint and two more control planes")
	etc := c.etc(t, "cp1", "w1")
	c.edit(t, func(f *spec.Cluster) {
		f.Spec.ControlPlaneEndpoint, f.Spec.LoadBalancer = endpoint, spec.LoadBalancer{Kind: spec.NginxBalancer}
	})
	c.joins(t, "cp2", spec.RoleControlPlane)
	c.joins(t, "cp3", spec.RoleControlPlane)
	c.plan(t).want(t, 2).says(t, "lead admin.conf to the endpoint", "lead the kubelet to the endpoint", "restart the kube-proxy pod")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.voters(t, "cp1", "cp2", "cp3")
	c.networked(t, "cp1", "cp2", "cp3", "w1", "w2")
	for host, changed := range etc() {
		for _, file := range changed {
			if !slices.Contains([]string{"hosts", "kubernetes/admin.conf", "kubernetes/super-admin.conf", "kubernetes/kubelet.conf",
				"kubernetes/pki/apiserver.crt", "kubernetes/pki/apiserver.key", "pod-routes.sh", "resolv.conf"}, file) {
				t.Errorf("%s: /etc/%s was changed", host, file)
			}
		}
	}
	for _, h := range []string{"cp1", "cp2", "cp3"} {
		if got := c.on(t, h, `cat /etc/kubernetes/manifests/kube-apiserver.yaml`); !strings.Contains(got, "--event-ttl=2h") ||
			!strings.Contains(got, "path: /etc/kubernetes/extra") {
			t.Errorf("%s: the cluster's own flag or mount is not in\n%s", h, got)
		}
	}
	config := c.byHand(t, "-n", "kube-system", "get", "cm", "kubeadm-config", "-o", "yaml")
	if !strings.Contains(config, "controlPlaneEndpoint: "+endpoint) || !strings.Contains(config, "k8s.example.com") {
		t.Errorf("kubeadm's configuration:\n%s", config)
	}

	t.Log("the first control plane is off")
	c.power(t, "cp1", false)
	c.on(t, "cp2", `export KUBECONFIG=/etc/kubernetes/admin.conf
for i in $(seq 60); do kubectl get --raw /readyz >/dev/null 2>&1 && break; sleep 1; done
kubectl create deployment after --image=registry.k8s.io/pause:3.10.2 --replicas=2 && kubectl rollout status deployment/after --timeout=240s`)
	c.power(t, "cp1", true)
	c.nothingToDo(t)

	t.Log("one leaves again")
	c.leaves(t, "cp3")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.voters(t, "cp1", "cp2")
	if left := c.on(t, "cp3", leftovers); left != "" {
		t.Errorf("cp3 still has %s", left)
	}
}

// TestAdoptEndpoint: a control plane and a worker join a cluster of others that has an
// endpoint, and use that.
func TestAdoptEndpoint(t *testing.T) {
	if !allChanges {
		t.Skip("only with all changes (make test-all)")
	}
	c := newCluster(t, "adoptendpoint", 2, 2)
	c.adopted(t, "api.example.com:6443", "cp1", "w1")
	for _, h := range []string{"cp2", "w2"} { // as their DNS says
		c.on(t, h, `echo "$1 api.example.com" >>/etc/hosts`, c.address(t, "cp1"))
	}
	c.joins(t, "cp2", spec.RoleControlPlane)
	c.joins(t, "w2", spec.RoleWorker)
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.voters(t, "cp1", "cp2")
	c.networked(t, "cp1", "cp2", "w1", "w2")
	if got := c.on(t, "w2", `grep server: /etc/kubernetes/kubelet.conf`); !strings.HasSuffix(got, "https://api.example.com:6443") {
		t.Errorf("w2 uses %s", got)
	}
	c.leaves(t, "w2")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
}

// adopted makes a cluster of others on some hosts of the lab, and its file by
// quorate adopt. It returns the endpoint that the lab's own file had.
func (c *cluster) adopted(t *testing.T, endpoint string, hosts ...string) (own string) {
	t.Helper()
	file, _, err := spec.Load(c.File)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ENDPOINT", endpoint)
	c.foreign(t, "kubeadm.sh", hosts...)
	r := run(t, c.dir, "adopt", "--host", "root@"+c.address(t, "cp1"), "--ssh-key", c.KeyFile, "--ssh-known-hosts", c.Known, "--name", "prod").
		want(t, 0)
	c.File = filepath.Join(c.dir, "cluster.yaml")
	if err := os.WriteFile(c.File, []byte(r.out), 0o644); err != nil {
		t.Fatal(err)
	}
	c.plan(t).want(t, 0).says(t, "nothing to do")
	return file.Spec.ControlPlaneEndpoint
}

// voters waits until these are etcd's members, by the word of cp2, which quorate has
// joined.
func (c *cluster) voters(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, "etcd's members are "+strings.Join(want, ", "), func() error {
		voters, learners, _, err := c.members(t, "cp2")
		if err == nil && (!same(voters, want) || len(learners) > 0) {
			err = fmt.Errorf("voters %v, learners %v", voters, learners)
		}
		return err
	})
}

func (c *cluster) joins(t *testing.T, host, role string) {
	t.Helper()
	c.edit(t, func(f *spec.Cluster) {
		f.Spec.Hosts = append(f.Spec.Hosts, spec.Host{Name: host, Address: c.address(t, host), Roles: []string{role}})
	})
}

func (c *cluster) leaves(t *testing.T, host string) {
	t.Helper()
	c.edit(t, func(f *spec.Cluster) {
		f.Spec.Hosts = slices.DeleteFunc(f.Spec.Hosts, func(h spec.Host) bool { return h.Name == host })
	})
}

// networked gives hosts their pod network, which is their owner's, and waits until
// their nodes are Ready.
func (c *cluster) networked(t *testing.T, hosts ...string) {
	t.Helper()
	c.foreign(t, "network.sh", hosts...)
	c.byHand(t, "wait", "--for=condition=Ready", "node", "--all", "--timeout=180s")
}

// etc remembers /etc of hosts, and returns what tells which of its files were changed
// or removed since.
func (c *cluster) etc(t *testing.T, hosts ...string) func() map[string][]string {
	t.Helper()
	for _, h := range hosts {
		c.on(t, h, `cd /etc && find . -xdev -type f -exec sha256sum {} + >/root/etc.sums`)
	}
	return func() map[string][]string {
		out := map[string][]string{}
		for _, h := range hosts {
			said := c.on(t, h, `cd /etc && sha256sum -c --quiet /root/etc.sums 2>/dev/null | sed -n 's/^\.\/\(.*\): FAILED.*/\1/p'`)
			out[h] = strings.Fields(said)
		}
		return out
	}
}
