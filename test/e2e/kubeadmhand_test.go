//go:build lab

package e2e

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/hostcheck"
	"quorate.dev/quorate/internal/spec"
)

// byHand: kubeadm's own commands work, and quorate goes on from what they did.
func byHand(t *testing.T, c *cluster) {
	if out := c.on(t, "cp1", `kubeadm certs check-expiration`); !strings.Contains(out, "apiserver-kubelet-client ") ||
		!strings.Contains(out, "scheduler.conf ") {
		t.Errorf("kubeadm does not know the certificates:\n%s", out)
	}
	c.on(t, "cp2", `KUBECONFIG=/etc/kubernetes/admin.conf kubeadm upgrade plan v1.36.3 2>&1`)
	c.on(t, "cp3", `KUBECONFIG=/etc/kubernetes/admin.conf kubeadm token create --print-join-command`)

	c.kubeadmReset(t, "w1")
	c.plan(t).want(t, 2).says(t, "w1")
	c.join(t, "w1", run(t, c.dir, "token", "create", "--for", "1h", "-f", c.File).want(t, 0).out)
	// Its flags are not ours, and it has no serving certificate. In its first second it does not count as running.
	eventually(t, "the joined node is planned", func() error {
		if r := c.plan(t).want(t, 2).says(t, "issue certificates"); !strings.Contains(r.out, "restart kubelet") {
			return errors.New(r.out)
		}
		return nil
	})
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.nodesReady(t, "cp1", c.of("")...)
}

// kubeadmReset takes a host out of the cluster as kubeadm's users do. As kubeadm
// says at its end, the packet filters are left to the user.
func (c *cluster) kubeadmReset(t *testing.T, host string) {
	t.Helper()
	c.on(t, host, `kubeadm reset -f 2>&1 && nft delete table ip kube-proxy && nft delete table ip6 kube-proxy`)
	c.on(t, "cp1", `kubectl --kubeconfig /etc/kubernetes/admin.conf delete node "$1"`, host)
}

// join runs a command that was printed on a host, without what a container cannot
// have: control groups of version 2.
func (c *cluster) join(t *testing.T, host, command string) {
	t.Helper()
	c.on(t, host, strings.TrimSpace(command)+` --ignore-preflight-errors=SystemVerification 2>&1`)
}

// settings: the worker has the labels and taints of the file, and the hosts are fit.
func settings(t *testing.T, c *cluster) {
	got := c.kubectl(t, "cp1", "get", "node", "w1", "-o", `jsonpath={.metadata.labels.example\.com/rack} {.spec.taints[*].key}`)
	if f := strings.Fields(got); f[0] != "r1" || !slices.Contains(f, "slow") { // not-ready goes a moment after the node is Ready
		t.Errorf("label and taint of w1: %q", got)
	}
	var r hostcheck.Report
	out := run(t, c.dir, "doctor", "hosts", "-o", "json", "-f", c.File).out // how full and fast its disks are is the machine's business
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, h := range r.Hosts {
		if !h.Reached || h.Interface != "host0" || h.MTU == 0 || h.MAC == "" || !slices.Contains(h.Routes, "host0") || len(h.Space) < 2 {
			t.Errorf("%+v", h)
		}
	}
	for _, f := range r.Findings {
		if t.Log(f); f.Level == hostcheck.Blocks || !slices.Contains([]string{"space", "inodes", "fsync", "memory"}, f.Check) {
			t.Errorf("found: %s", f)
		}
	}
	if len(r.Hosts) != 4 {
		t.Errorf("%d hosts", len(r.Hosts))
	}
}

// access: tokens, and users that may do little for a while.
func access(t *testing.T, c *cluster) {
	file := []string{"-f", filepath.Base(c.File)}
	quorate := func(args ...string) result { return run(t, c.dir, append(args, file...)...) }
	var made struct{ ID, Token string }
	if err := json.Unmarshal([]byte(quorate("token", "create", "-o", "json").want(t, 0).out), &made); err != nil || made.ID == "" {
		t.Fatal(made, err)
	}
	if r := quorate("token", "list").want(t, 0).says(t, made.ID, "in 23h"); strings.Contains(r.out, made.Token) {
		t.Errorf("the list tells the whole token:\n%s", r.out)
	}
	quorate("token", "delete", made.Token).want(t, 0)
	quorate("token", "delete", made.ID).want(t, 1).says(t, "no token has the id "+made.ID)

	through := c.controlPlanes()[0]
	can := func(conf string, args ...string) string {
		out, err := c.feed(t.Context(), through, conf, `umask 077; cat >/run/user.conf; /opt/quorate/bin/kubectl --kubeconfig=/run/user.conf "$@"; r=$?; rm /run/user.conf; exit $r`, args...)
		if err != nil {
			return err.Error()
		}
		return out
	}
	conf := quorate("kubeconfig", "user", "ann", "--group", "readers", "--role", "view", "--namespace", "kube-system", "--host", through).
		want(t, 0).says(t, "bound view to ann (RoleBinding kube-system/quorate:ann:view)").out
	if out := can(conf, "get", "pods", "-o", "name"); !strings.Contains(out, "pod/coredns-") {
		t.Errorf("ann sees no pods in her namespace: %s", out)
	}
	if out := can(conf, "get", "pods", "--namespace=default"); !strings.Contains(out, "forbidden") {
		t.Errorf("ann sees another namespace: %s", out)
	}
	if out := can(conf, "auth", "whoami", "-o", "jsonpath={.status.userInfo.groups}"); !strings.Contains(out, "readers") {
		t.Errorf("ann's groups: %s", out)
	}
	quorate("kubeconfig", "user", "ann", "--role", "nothing").want(t, 1).says(t, "clusterroles/nothing")
	conf = quorate("kubeconfig", "user", "root", "--group", "system:masters", "--for", "10m", "--host", through).want(t, 0).
		says(t, "warning: system:masters is above RBAC").out
	if out := can(conf, "auth", "can-i", "*", "*"); out != "yes" {
		t.Errorf("a master may not do everything: %s", out)
	}
}

// TestKubeadmHands: what kubeadm's users do by hand with control planes, and a
// replacement in one edit.
func TestKubeadmHands(t *testing.T) {
	if !allChanges {
		t.Skip("only with all changes (make test-all)")
	}
	c := newCluster(t, "kubeadmhands", 4, 0)
	c.edit(t, func(f *spec.Cluster) { f.Spec.Kubernetes.Flavour = spec.FlavourKubeadm })
	only := c.chooser(t)
	only("cp1", "cp2", "cp3")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)

	t.Log("all certificates are renewed by kubeadm")
	c.on(t, "cp2", `kubeadm certs renew all 2>&1`)
	c.plan(t).says(t, "cp2")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)

	t.Log("a control plane is reset and joins by kubeadm")
	c.kubeadmReset(t, "cp3")
	c.oneEtcd(t, "cp1", "cp2")
	r := run(t, c.dir, "token", "create", "--control-plane", "-f", c.File).want(t, 0)
	var copied []string
	for line := range strings.Lines(r.err) {
		if rest, is := strings.CutPrefix(line, "copy "); is {
			path, rest, _ := strings.Cut(rest, " from ")
			from, _, _ := strings.Cut(rest, " ")
			text := c.on(t, from, `base64 -w0 "$1"`, path)
			if _, err := c.feed(t.Context(), "cp3", text, `umask 077; mkdir -p "${1%/*}"; base64 -d >"$1"`, path); err != nil {
				t.Fatal(err)
			}
			copied = append(copied, path)
		}
	}
	if !slices.Contains(copied, "/etc/kubernetes/pki/encryption.yaml") || !slices.Contains(copied, "/etc/kubernetes/audit-policy.yaml") {
		t.Errorf("copied first: %v", copied)
	}
	c.join(t, "cp3", r.out)
	t.Log(c.plan(t).out)
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, "cp1", "cp2", "cp3")
	c.nodesReady(t, "cp1", "cp1", "cp2", "cp3")

	t.Log("cp4 takes the place of cp1, in one edit")
	only("cp2", "cp3", "cp4")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, "cp2", "cp3", "cp4")
	c.nodesReady(t, "cp2", "cp2", "cp3", "cp4")
	if left := c.on(t, "cp1", leftovers); left != "" {
		t.Errorf("cp1 still has %s", left)
	}
}

// TestKubeadmBuiltin: quorate-lb in front of a kubeadm cluster, and the change to
// nginx and back while clients ask.
func TestKubeadmBuiltin(t *testing.T) {
	if !allChanges {
		t.Skip("only with all changes (make test-all)")
	}
	c := newCluster(t, "kubeadmbuiltin", 3, 1)
	c.edit(t, func(f *spec.Cluster) { f.Spec.Kubernetes.Flavour = spec.FlavourKubeadm })
	c.balancer(t, spec.BuiltinBalancer)
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, c.controlPlanes()...)
	for _, h := range c.of("") {
		if got := c.on(t, h, `systemctl is-active quorate-lb; systemctl is-active kube-nginx || true`); got != "active\ninactive" {
			t.Errorf("%s: quorate-lb and nginx are %q", h, got)
		}
		if err := c.doorOpen(t, h); err != nil {
			t.Errorf("%s: %v", h, err)
		}
	}
	switchKinds(t, c)
	c.nodesReady(t, "cp1", c.of("")...)
}

// TestKubeadmExternal: etcd on hosts of its own, as units, under a kubeadm control
// plane. A member is replaced, and the cluster is taken away.
func TestKubeadmExternal(t *testing.T) {
	if !allChanges {
		t.Skip("only with all changes (make test-all)")
	}
	c := newCluster(t, "kubeadmext", 2, 0, "--etcd", "4")
	c.edit(t, func(f *spec.Cluster) { f.Spec.Kubernetes.Flavour = spec.FlavourKubeadm })
	only := c.chooser(t)
	only("cp1", "cp2", "etcd1", "etcd2", "etcd3")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, "etcd1", "etcd2", "etcd3")
	c.nodesReady(t, "cp1", "cp1", "cp2")
	if got := c.on(t, "cp1", `ls /etc/kubernetes/manifests`); strings.Contains(got, "etcd") {
		t.Errorf("a control plane runs etcd: %s", got)
	}
	if out := c.on(t, "cp2", `KUBECONFIG=/etc/kubernetes/admin.conf kubectl -n kube-system get cm kubeadm-config -o yaml`); !strings.Contains(out,
		"https://"+c.address(t, "etcd3")+":2379") {
		t.Errorf("kubeadm does not know the members:\n%s", out)
	}

	t.Log("etcd4 takes the place of etcd1")
	only("cp1", "cp2", "etcd2", "etcd3", "etcd4")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, "etcd2", "etcd3", "etcd4")
	c.nodesReady(t, "cp1", "cp1", "cp2")
	run(t, c.dir, "reset", "--yes", "-f", c.File).want(t, 0)
	for _, h := range []string{"cp1", "etcd1", "etcd2"} {
		if left := c.on(t, h, leftovers); left != "" {
			t.Errorf("%s still has %s", h, left)
		}
	}
}
