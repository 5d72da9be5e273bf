//go:build lab && long

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
)

// TestHazards tries on one cluster what goes wrong when members come and go.
// Each part but the last two leaves it whole: three control planes, one worker,
// cp4 to spare.
func TestHazards(t *testing.T) {
	c := newCluster(t, "hazards", 4, 1)
	only := c.chooser(t)
	only("cp1", "cp2", "cp3", "w1")
	c.apply(t).want(t, 0)
	c.admin(t)
	for _, s := range []struct {
		name string
		test func(*testing.T, *cluster, func(...string))
	}{
		{"learner without space", learnerWithoutSpace}, {"two clusters", twoClusters}, {"reinstalled", reinstalled},
		{"renamed", renamed}, {"moved", moved}, {"cut off while a host left", cutWhileLeaving},
		{"quorum lost", quorumLost}, {"certificates ended", certificatesEnded}, {"down to one", downToOne},
		{"quorum lost on the way", quorumLostOnTheWay},
	} {
		if !t.Run(s.name, func(t *testing.T) { s.test(t, c, only) }) {
			return // the next would begin with a broken cluster
		}
	}
}

// learnerWithoutSpace: a member that cannot catch up ends the run with its own
// words, in bounded time; it has no vote, so nobody feels it. With space it
// goes on, and taken out of the file it leaves the list.
func learnerWithoutSpace(t *testing.T, c *cluster, only func(...string)) {
	full := func() { c.on(t, "cp4", `mkdir -p /var/lib/etcd; mount -t tmpfs -o size=4m tmpfs /var/lib/etcd`) }
	unfilled := func() { c.on(t, "cp4", `systemctl stop etcd; umount /var/lib/etcd`) }
	stuck := func() {
		only("cp1", "cp2", "cp3", "cp4", "w1")
		c.apply(t).want(t, 1).says(t, "cp4", "start etcd", "no space left on device")
		voters, learners, _, err := c.members(t, "cp1")
		if err != nil || !same(voters, []string{"cp1", "cp2", "cp3"}) || len(learners) != 1 {
			t.Fatalf("voters %v, learners %v: %v", voters, learners, err)
		}
		c.doorsSteady(t, "cp1", "w1")
	}
	full()
	stuck()
	only("cp1", "cp2", "cp3", "w1")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, "cp1", "cp2", "cp3")

	stuck()
	unfilled()
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, "cp1", "cp2", "cp3", "cp4")
	only("cp1", "cp2", "cp3", "w1")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, "cp1", "cp2", "cp3")
}

// twoClusters: an etcd that was born beside the cluster's own stops everything.
func twoClusters(t *testing.T, c *cluster, _ func(...string)) {
	c.on(t, "cp3", `systemctl stop etcd; mv /var/lib/etcd/member /var/lib/etcd-own; mkdir -p /run/quorate
printf 'ETCD_INITIAL_CLUSTER=cp3=https://%s:2380\nETCD_INITIAL_CLUSTER_STATE=new\nETCD_INITIAL_CLUSTER_TOKEN=stranger\n' "$1" >/run/quorate/etcd-bootstrap.env; systemctl start etcd`, c.address(t, "cp3"))
	c.plan(t).want(t, 3).says(t, "different clusters", "cp1 (", "cp3 (")
	c.apply(t).want(t, 3).says(t, "nothing was changed")
	c.on(t, "cp3", `systemctl stop etcd; rm -r /var/lib/etcd/member; mv /var/lib/etcd-own /var/lib/etcd/member`)
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, "cp1", "cp2", "cp3")
}

// reinstalled: a fresh machine under the old name and address takes its place
// once its host key is accepted.
func reinstalled(t *testing.T, c *cluster, _ func(...string)) {
	if err := c.Reinstall(t.Context(), "cp1"); err != nil {
		t.Fatal(err)
	}
	c.plan(t).want(t, 2).says(t, "HAS CHANGED", "ssh-keygen -f", "--accept-new")
	c.accept(t, "cp1")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, "cp1", "cp2", "cp3")
	c.nodesReady(t, "w1", "cp1", "cp2", "cp3", "w1")
}

// accept does what the refusal of a changed host key says.
func (c *cluster) accept(t *testing.T, host string) {
	t.Helper()
	address := c.address(t, host)
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-f", c.Known, "-R", address).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	key := c.on(t, host, `ssh-keygen -y -f /etc/ssh/ssh_host_ed25519_key`)
	known, err := os.OpenFile(c.Known, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer known.Close()
	if _, err := fmt.Fprintf(known, "%s %s\n", address, key); err != nil {
		t.Fatal(err)
	}
}

// renamed: a machine that is set up keeps its name; reinstalled it can have another.
func renamed(t *testing.T, c *cluster, only func(...string)) {
	name := func(from, to string) {
		c.edit(t, func(f *spec.Cluster) {
			for i := range f.Spec.Hosts {
				if f.Spec.Hosts[i].Name == from {
					f.Spec.Hosts[i].Name = to
				}
			}
		})
	}
	for _, other := range []string{"a0", "z9"} { // before and behind the old name
		name("cp2", other)
		c.plan(t).want(t, 3).says(t, "set up as cp2", "add it as "+other)
		name(other, "cp2")
	}
	c.nothingToDo(t)
	if err := c.Reinstall(t.Context(), "cp2"); err != nil {
		t.Fatal(err)
	}
	c.accept(t, "cp2")
	name("cp2", "z9")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	if voters, learners, _, err := c.members(t, "cp1"); err != nil || !same(voters, []string{"cp1", "cp3", "z9"}) || len(learners) > 0 {
		t.Fatalf("voters %v, learners %v: %v", voters, learners, err)
	}
	c.nodesReady(t, "w1", "cp1", "cp3", "z9", "w1")
	// Back again, the clean way.
	only("cp1", "cp3", "w1")
	c.apply(t).want(t, 0)
	only("cp1", "cp2", "cp3", "w1")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, "cp1", "cp2", "cp3")
}

// moved: a name at another address is refused, by what is there.
func moved(t *testing.T, c *cluster, only func(...string)) {
	swap := func(f *spec.Cluster) {
		for i := range f.Spec.Hosts {
			if f.Spec.Hosts[i].Name == "cp3" {
				f.Spec.Hosts[i].Address, f.Spec.Hosts[i].InternalAddress = c.address(t, "cp4"), c.address(t, "cp4")
			}
		}
	}
	c.edit(t, swap)
	c.plan(t).want(t, 3).says(t, "the cluster knows cp3", c.address(t, "cp3"), "quorate forget cp3")
	only("cp1", "cp2", "cp3", "w1")
	c.nothingToDo(t)
}

// cutWhileLeaving: a worker that could not be told of a shrink returns.
func cutWhileLeaving(t *testing.T, c *cluster, only func(...string)) {
	only("cp1", "cp2", "cp3", "cp4", "w1")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	if err := c.Cut(t.Context(), "w1"); err != nil {
		t.Fatal(err)
	}
	only("cp1", "cp2", "cp3", "w1")
	c.apply(t).want(t, 1).says(t, "w1")
	if err := c.Heal(t.Context(), "w1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the worker forgets cp4", func() error {
		if r := c.apply(t); r.code != 0 {
			return fmt.Errorf("%s\n%s", r, r.err)
		}
		return nil
	})
	c.nothingToDo(t)
	c.oneEtcd(t, "cp1", "cp2", "cp3")
	c.doorsSteady(t, "w1")
	c.namedByNobody(t, "cp4", "cp1", "cp2", "cp3", "w1")
}

// quorumLost: with two of three dead the plan says so, and nothing is made worse.
func quorumLost(t *testing.T, c *cluster, only func(...string)) {
	only("cp1", "cp2", "cp4", "w1") // a replacement is what one would try
	c.power(t, "cp2", false)
	c.power(t, "cp3", false)
	c.plan(t).want(t, 3).says(t, "etcd has no quorum", "cp2", "cp3")
	c.apply(t).want(t, 3).says(t, "nothing was changed")
	if made := c.on(t, "cp4", `ls -d /etc/quorate /etc/kubernetes 2>/dev/null; true`); made != "" {
		t.Errorf("cp4 was touched: %s", made)
	}
	c.power(t, "cp2", true)
	c.power(t, "cp3", true)
	only("cp1", "cp2", "cp3", "w1")
	c.nothingToDo(t)
	c.oneEtcd(t, "cp1", "cp2", "cp3")
}

// certificatesEnded: the cluster was left alone for longer than its certificates
// last, and is down; apply brings it back.
func certificatesEnded(t *testing.T, c *cluster, _ func(...string)) {
	hosts := []string{"cp1", "cp2", "cp3"}
	for _, h := range hosts {
		for path := range strings.FieldsSeq(c.on(t, h, `find /etc/kubernetes/pki -name '*.crt' ! -name '*ca.crt'`)) {
			by := pki.KubernetesCA
			switch {
			case strings.Contains(path, "front-proxy"):
				by = pki.FrontProxyCA
			case strings.Contains(path, "/etcd/"), strings.Contains(path, "apiserver-etcd"):
				by = pki.EtcdCA
			}
			c.forge(t, h, path, by, expired)
		}
	}
	for _, h := range hosts {
		c.on(t, h, `systemctl restart --no-block etcd kube-apiserver kube-controller-manager kube-scheduler`)
	}
	eventually(t, "etcd has no quorum any more", func() error {
		if _, err := c.try(t.Context(), "cp1", `curl -sf -m 5 http://127.0.0.1:2381/health`); err == nil {
			return fmt.Errorf("cp1 still has quorum")
		}
		return nil
	})
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, hosts...)
	c.nodesReady(t, "w1", "cp1", "cp2", "cp3", "w1")
	c.doorsSteady(t, "w1")
}

// downToOne: the leader leaves with another, and one stays.
func downToOne(t *testing.T, c *cluster, only func(...string)) {
	stays := without([]string{"cp1", "cp2", "cp3"}, c.leader(t))[0]
	only(stays, "w1")
	c.plan(t).want(t, 2).says(t, "EXPOSED")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, stays)
	c.nodesReady(t, "w1", stays, "w1")
	// What is gone cannot be lost twice: the last one stays.
	c.edit(t, func(f *spec.Cluster) {
		f.Spec.Components = map[string]spec.Component{"etcd": {ExtraArgs: map[string]spec.Values{"max-txn-ops": {"256"}}}}
	})
	c.plan(t).want(t, 2).says(t, "OUTAGE", "etcd has no quorum")
	c.apply(t).want(t, 3).says(t, "--accept-outage")
	c.apply(t, "--accept-outage").want(t, 0)
	c.nothingToDo(t)
	if out := c.on(t, stays, `systemctl cat etcd`); !strings.Contains(out, "max-txn-ops=256") {
		t.Error("etcd runs without the new flag")
	}
}

// quorumLostOnTheWay: one of two dies as soon as it has its vote. The run ends
// with what to do, and does not wait for its last step's time.
func quorumLostOnTheWay(t *testing.T, c *cluster, only func(...string)) {
	stays, comes := c.leader(t), "cp4"
	only(stays, comes, "w1")
	r := c.begin(t)
	if !r.until(func(ev engine.Event) bool {
		return ev.Kind == engine.StepDone && ev.Step != nil && ev.Step.Kind == "promote"
	}) {
		t.Fatalf("nobody got a vote\n%s", r.err.String())
	}
	c.power(t, comes, false)
	if code := r.end(); code != 1 || !strings.Contains(r.err.String(), "etcd has lost its quorum: "+comes+" does not answer") {
		t.Fatalf("exit %d\n%s", code, r.err.String())
	}
	says := r.err.String()
	for _, want := range []string{"bring back " + comes, "quorate etcd recover"} {
		if !strings.Contains(says, want) {
			t.Errorf("%q is not said:\n%s", want, says)
		}
	}
	c.power(t, comes, true)
	eventually(t, "it is back and goes on", func() error {
		if r := c.apply(t); r.code != 0 {
			return fmt.Errorf("%s\n%s", r, r.err)
		}
		return nil
	})
	c.nothingToDo(t)
	c.oneEtcd(t, stays, comes)
}
