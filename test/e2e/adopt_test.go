//go:build lab

package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/spec"
)

// TestAdopt: a kubeadm cluster that others have made is looked at, and nothing of
// it changes by that. The plan for its file is empty; then one name more is served.
func TestAdopt(t *testing.T) {
	c := newCluster(t, "adopt", 1, 1)
	c.foreign(t, "kubeadm.sh", "cp1", "w1")
	before, objects := c.untouched(t), c.objects(t)
	r := run(t, c.dir, "adopt", "--host", "root@"+c.address(t, "cp1"), "--ssh-key", c.KeyFile, "--ssh-known-hosts", c.Known, "--name", "prod",
		"--report", "report.txt").want(t, 0)
	r.says(t, "nothing was changed", "endpoint: none", "--event-ttl=2h (in kubeadm's configuration)", "mounts /etc/kubernetes/extra",
		"k8s.example.com", "RSA-2048", "cp1: /etc/cni/net.d/10-bridge.conflist", "w1: /etc/pod-routes.sh", "no bootstrap token is valid")
	if after := c.untouched(t); after != before {
		t.Errorf("the hosts were changed:\n%s", difference(before, after))
	}
	if after := c.objects(t); after != objects {
		t.Errorf("the cluster was changed:\n%s", difference(objects, after))
	}
	c.File = filepath.Join(c.dir, "cluster.yaml")
	if err := os.WriteFile(c.File, []byte(r.out), 0o644); err != nil {
		t.Fatal(err)
	}
	file, _, err := spec.Load(c.File)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(file.Spec.CertSANs, []string{"k8s.example.com", "203.0.113.7"}) || len(file.Spec.Hosts) != 2 ||
		!slices.Equal(file.Spec.Adopted.Hosts, []string{"cp1", "w1"}) {
		t.Errorf("%+v", file.Spec)
	}
	c.plan(t).want(t, 0).says(t, "nothing to do")
	run(t, c.dir, "status", "-f", "cluster.yaml").want(t, 0).says(t, "matches the file", "losing cp1 stops etcd", "no mark of the cluster")
	run(t, c.dir, "etcd", "status", "-f", "cluster.yaml").want(t, 0).says(t, "cp1")
	if after := c.untouched(t); after != before {
		t.Errorf("plan or status changed the hosts:\n%s", difference(before, after))
	}

	t.Log("one more name in the certificate")
	c.edit(t, func(f *spec.Cluster) { f.Spec.CertSANs = append(f.Spec.CertSANs, "api.prod.example.com") })
	c.plan(t).want(t, 2).says(t, "mark as a host of the cluster", "issue certificates", "lacks SAN api.prod.example.com")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	served := c.servedCertificate(t, "cp1")
	for _, name := range []string{"k8s.example.com", "api.prod.example.com", "kubernetes.default.svc"} {
		if !slices.Contains(served.DNSNames, name) {
			t.Errorf("%s is not in the served certificate, which has %s", name, served.DNSNames)
		}
	}
	if got := c.byHand(t, "-n", "kube-system", "get", "cm", "kubeadm-config", "-o", "yaml"); !strings.Contains(got, "api.prod.example.com") ||
		!strings.Contains(got, "event-ttl") {
		t.Errorf("kubeadm's configuration:\n%s", got)
	}
	c.byHand(t, "rollout", "status", "deployment/web", "--timeout=60s")
	if snap := run(t, c.dir, "etcd", "snapshot", "save", "-f", "cluster.yaml").want(t, 0).out; !strings.Contains(snap, ".db") {
		t.Errorf("snapshot: %s", snap)
	}
}

// foreign runs a script of test/foreign on the lab.
func (c *cluster) foreign(t *testing.T, script string, hosts ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", append([]string{filepath.Join("..", "foreign", script), c.Name}, hosts...)...)
	cmd.Env = append(os.Environ(), "QUORATE="+program)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// byHand runs the host's own kubectl with the kubeconfig that kubeadm made, as
// people do there.
func (c *cluster) byHand(t *testing.T, args ...string) string {
	t.Helper()
	return c.on(t, "cp1", `kubectl --kubeconfig=/etc/kubernetes/admin.conf --cache-dir=/run/e2e/cache "$@"`, args...)
}

// untouched is all on the hosts that a look may not change: files with their times
// and what is in them, and the processes of the cluster. What runs there writes
// by itself (etcd's data, logs, containers) is not among it.
func (c *cluster) untouched(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, h := range c.of("") {
		b.WriteString(h + ":\n" + c.on(t, h, `cd / && find etc usr opt root home srv var/spool var/lib/cni/bin var/lib/kubelet/pki var/lib/kubelet/config.yaml \
	var/lib/kubelet/kubeadm-flags.env -xdev -printf '%p %T@ %C@ %s %m %u %l\n' 2>/dev/null | sort
find etc root -xdev -type f -exec sha256sum {} + | sort
ls -d run/quorate var/lib/quorate 2>/dev/null
for n in kubelet containerd etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do
	for p in $(pidof "$n"); do echo "$n $p $(sed 's/.*) //' /proc/$p/stat | cut -d' ' -f20)"; done; done | sort`) + "\n")
	}
	return b.String()
}

// objects are the cluster's, with their versions, but for those that change by
// themselves.
func (c *cluster) objects(t *testing.T) string {
	t.Helper()
	return c.byHand(t, "get", "cm,secret,sa,svc,deploy,ds,rs,role,rolebinding,clusterrole,clusterrolebinding,apiservice,ns", "-A", "--no-headers",
		"-o", "custom-columns=K:.kind,N:.metadata.namespace,M:.metadata.name,R:.metadata.resourceVersion")
}

// difference are the lines that only one of two texts has.
func difference(before, after string) string {
	var b strings.Builder
	old, fresh := strings.Split(before, "\n"), strings.Split(after, "\n")
	for _, l := range old {
		if !slices.Contains(fresh, l) {
			b.WriteString("- " + l + "\n")
		}
	}
	for _, l := range fresh {
		if !slices.Contains(old, l) {
			b.WriteString("+ " + l + "\n")
		}
	}
	return b.String()
}

// servedCertificate is the certificate that an API server serves.
func (c *cluster) servedCertificate(t *testing.T, host string) *x509.Certificate {
	t.Helper()
	text := c.on(t, host, `openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | openssl x509`)
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("%s serves no certificate: %s", host, text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
