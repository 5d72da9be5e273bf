//go:build lab

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/prober"
	"quorate.dev/quorate/internal/spec"
)

// TestChange: a lone control plane becomes three, one of them loses its etcd
// data and is healed, and the first that was ever made leaves, and with it a
// worker whose pods move; all the while the cluster is asked, and no write that
// it acknowledged is lost.
func TestChange(t *testing.T) {
	c := newCluster(t, "change", 3, 2)
	all, _, err := spec.Load(c.File)
	if err != nil {
		t.Fatal(err)
	}
	only := func(names ...string) {
		c.edit(t, func(f *spec.Cluster) {
			f.Spec.Hosts = slices.DeleteFunc(slices.Clone(all.Spec.Hosts), func(h spec.Host) bool { return !slices.Contains(names, h.Name) })
		})
	}
	only("cp1", "w1")
	c.apply(t).want(t, 0)

	only("cp1", "cp2", "cp3", "w1", "w2")
	c.probed(t)
	c.nothingToDo(t)
	c.oneEtcd(t, "cp1", "cp2", "cp3")
	c.nodesReady(t, "cp1", "cp1", "cp2", "cp3", "w1", "w2")
	c.endpoints(t, "w1", "cp1", "cp2", "cp3")
	c.guardEtcd(t)

	c.on(t, "cp2", `systemctl stop etcd && rm -r /var/lib/etcd/member`)
	c.probed(t)
	c.nothingToDo(t)
	c.oneEtcd(t, "cp1", "cp2", "cp3")

	moved := c.movable(t, "w2", "w1")
	stale := c.stale(t, "w1", "cp1")
	only("cp2", "cp3", "w1")
	c.probed(t)
	moved()
	stale()
	c.nothingToDo(t)
	c.oneEtcd(t, "cp2", "cp3")
	c.nodesReady(t, "cp2", "cp2", "cp3", "w1")
	c.endpoints(t, "w1", "cp2", "cp3")
	if left := c.on(t, "cp1", leftovers); left != "" {
		t.Errorf("cp1 still has %s", left)
	}
	// Nobody names it any more.
	address := c.address(t, "cp1")
	for _, h := range []string{"cp2", "cp3", "w1"} {
		if named := c.on(t, h, `grep -rlF "$1" /etc/quorate /etc/kubernetes /etc/systemd/system /etc/hosts 2>/dev/null || true`,
			address); named != "" {
			t.Errorf("%s still names %s in %s", h, address, named)
		}
	}

	// A host that is dead and not in the file is not forgotten.
	c.power(t, "cp3", false)
	only("cp2", "w1")
	r := c.apply(t)
	r.want(t, 3).says(t, "cp3") // two voters, one dead: no quorum to remove it with
	// It is back, but the API server that stays is down: only etcd knows of cp3.
	c.on(t, "cp2", `systemctl stop kube-apiserver`)
	c.power(t, "cp3", true)
	eventually(t, "cp3 leaves once it is back", func() error {
		if r := c.apply(t); r.code != 0 {
			return fmt.Errorf("%s\n%s", r, r.err)
		}
		return nil
	})
	c.nothingToDo(t)
	c.oneEtcd(t, "cp2")

	// One that is dead and never comes back is given up by hand.
	c.power(t, "w1", false)
	only("cp2")
	c.apply(t).want(t, 1).says(t, "quorate forget w1")
	run(t, c.dir, "status", "-f", c.File).says(t, "w1 was removed from the file and has not been seen clean")
	run(t, c.dir, "forget", "-f", c.File, "w1", "--yes").want(t, 0).says(t, "Wipe its disk")
	c.nothingToDo(t)
	run(t, c.dir, "forget", "-f", c.File, "w1", "--yes").want(t, 3)
	if list := c.kubectl(t, "cp2", "-n", "kube-system", "get", "configmap", "quorate-cluster", "-o",
		`jsonpath={.data.departed\.json}`); list != "[]" {
		t.Errorf("who was seen clean, or was given up, is still remembered: %s", list)
	}
}

// leftovers shows what a host that left must not have.
const leftovers = `ls -d /etc/quorate /etc/kubernetes /opt/quorate /var/lib/etcd/member /var/lib/quorate/etcd /var/lib/quorate/kube-* /var/lib/quorate/quorate-lb \
	/run/quorate-lb 2>/dev/null || true
getent passwd etcd kube-apiserver kube-controller-manager kube-scheduler kube-lb || true; ss -Hltn | awk '$4 ~ /:(6443|2379|2380|10250|8443)$/'`

// stale writes on a host of what another is named by, and returns what sees that
// it is found once the other is gone, and that nothing is found without it.
func (c *cluster) stale(t *testing.T, host, gone string) func() {
	t.Helper()
	address := c.address(t, gone)
	const kubeconfig, cron = "/root/.kube/stale", "/etc/cron.d/stale"
	c.on(t, host, `mkdir -p /root/.kube; sed "s|server: .*|server: https://$1:6443|" /etc/kubernetes/kubelet.conf >`+kubeconfig+`
echo "0 0 1 1 * root true https://$1:6443/healthz" >`+cron, address)
	return func() {
		t.Helper()
		run(t, c.dir, "doctor", "refs", "-f", c.File).want(t, 1).says(t, host+"  kubeconfig "+kubeconfig+": "+address,
			host+"  cron "+cron+":1: "+address)
		c.on(t, host, `rm `+kubeconfig+` `+cron)
		eventually(t, "nothing names "+gone, func() error { // its API server's lease may take a moment to end
			if r := run(t, c.dir, "doctor", "refs", "-f", c.File); r.code != 0 {
				return fmt.Errorf("%s\n%s%s", r, r.out, r.err)
			}
			return nil
		})
	}
}

// probed applies while the cluster is asked. How many requests fail depends on
// the machine under the tests; what was acknowledged must be there on any.
func (c *cluster) probed(t *testing.T) prober.Report {
	t.Helper()
	r := run(t, c.dir, "apply", "--yes", "--probe", "--output", "json", "-f", c.File).want(t, 0)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	var last struct{ Report prober.Report }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatalf("%v in %q", err, lines[len(lines)-1])
	}
	t.Log(last.Report)
	if last.Report.Writes == 0 || len(last.Report.Lost) > 0 {
		t.Errorf("%s: lost %v", last.Report, last.Report.Lost)
	}
	return last.Report
}
