//go:build lab

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/spec"
)

// TestAdoptChange: to a lone control plane of others a worker is joined; it gets an
// endpoint, load balancers and two more control planes. Of the hosts that were found
// only what that needs is changed. Then the first control plane dies, and the cluster
// goes on; a new one takes its place; the dead one comes back and is cleaned; and the
// worker that was found leaves while it lives.
func TestAdoptChange(t *testing.T) {
	if !allChanges {
		t.Skip("only with all changes (make test-all)")
	}
	c := newCluster(t, "adoptchange", 4, 2)
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
			switch strings.TrimSuffix(file, "-") {
			case "passwd", "group", "shadow", "gshadow": // the load balancers' user is new
				continue
			}
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

	c.replaced(t)
}

// replaced takes the hosts out of TestAdoptChange that others have made: the control
// plane, once it is dead, and the worker, while it lives.
func (c *cluster) replaced(t *testing.T) {
	t.Helper()
	t.Log("the first control plane is dead")
	c.power(t, "cp1", false)
	c.on(t, "cp2", `export KUBECONFIG=/etc/kubernetes/admin.conf
for i in $(seq 60); do kubectl get --raw /readyz >/dev/null 2>&1 && break; sleep 1; done
kubectl create deployment after --image=registry.k8s.io/pause:3.10.2 --replicas=2 && kubectl rollout status deployment/after --timeout=240s`)

	t.Log("another takes its place, and quorate is killed meanwhile")
	c.leaves(t, "cp1")
	c.joins(t, "cp4", spec.RoleControlPlane)
	r := c.begin(t)
	if !r.until(func(ev engine.Event) bool { return ev.Kind == engine.StepRun && ev.Step.Kind == "promote" }) {
		t.Fatalf("nobody got a vote: exit %d\n%s", r.end(), r.err.String())
	}
	r.kill()
	r.end()
	c.apply(t).want(t, 1).says(t, "cp1") // it is remembered until it is seen clean
	c.voters(t, "cp2", "cp3", "cp4")
	c.networked(t, "cp2", "cp3", "cp4", "w1", "w2")
	for _, h := range []string{"cp2", "cp3", "cp4", "w1", "w2"} {
		if at := c.on(t, h, `grep -rlFw -e "$1" /etc/hosts /etc/quorate || true`, c.address(t, "cp1")); at != "" {
			t.Errorf("%s still names cp1 in %s", h, at)
		}
	}
	c.on(t, "cp2", `kubectl --kubeconfig=/etc/kubernetes/admin.conf rollout restart deployment/after >/dev/null
kubectl --kubeconfig=/etc/kubernetes/admin.conf rollout status deployment/after --timeout=240s`)

	t.Log("the dead one is back")
	c.power(t, "cp1", true)
	eventually(t, "cp1 says that its etcd is out", func() error {
		_, err := c.try(t.Context(), "cp1", `grep -rqs 'has been removed from the cluster\|server is stopping' /var/log/pods/kube-system_etcd-*`)
		return err
	})
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.voters(t, "cp2", "cp3", "cp4")

	t.Log("the worker that was found leaves")
	c.leaves(t, "w1")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	for _, h := range []string{"cp1", "w1"} {
		if left := c.on(t, h, foundLeftovers); left != "" {
			t.Errorf("%s still has %s", h, left)
		}
		c.on(t, h, `test -f /etc/kubernetes/extra/README && test -f /etc/cni/net.d/10-bridge.conflist &&
systemctl is-active -q containerd pod-routes`)
	}
}

// foundLeftovers shows what of the cluster a host must not have that was found and left.
const foundLeftovers = `cd /etc/kubernetes && ls -d *.conf pki manifests /etc/quorate /var/lib/etcd/member /var/lib/kubelet/* 2>/dev/null || true
crictl pods -q; systemctl is-active kubelet kube-nginx | grep -x active || true; nft list tables | grep -w kube-proxy || true
grep -rlE 'PRIVATE KEY|client-key-data' /etc/kubernetes /var/lib/quorate 2>/dev/null || true
grep quorate /etc/hosts || true; ss -Hltn | awk '$4 ~ /:(6443|2379|2380|10250|8443)$/'`

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
	c.on(t, hosts[0], `kubectl --kubeconfig=/etc/kubernetes/admin.conf wait --for=condition=Ready node --all --timeout=180s >/dev/null`)
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
