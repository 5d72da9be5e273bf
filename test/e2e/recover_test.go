//go:build lab

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/engine"
)

// recovered: two of three control planes lose their power. etcd comes back on
// the third, with everything that was written. Then the other two start, both
// at once and with their old data, so that the old etcd has its quorum again.
func recovered(t *testing.T, c *cluster, one, two, three string) {
	c.kubectl(t, one, "create", "configmap", "kept", "--from-literal=a=b")
	c.kubectl(t, one, "create", "secret", "generic", "hidden", "--from-literal=a=b")
	run(t, c.dir, "etcd", "recover", "--yes", "-f", filepath.Base(c.File)).want(t, 3).says(t, "etcd has quorum")
	_, _, before, err := c.members(t, one)
	if err != nil {
		t.Fatal(err)
	}

	c.power(t, two, false)
	c.power(t, three, false)
	c.plan(t).want(t, 3).says(t, "bring back "+two+" or "+three, "quorate etcd recover -f "+filepath.Base(c.File))
	c.recover(t).want(t, 3).says(t, "What is lost", two) // nobody has typed the cluster's name
	c.recover(t, "--yes").want(t, 0).says(t, "etcd is back")
	c.holds(t, one, "kept", "hidden")
	c.kubectl(t, one, "create", "configmap", "after", "--from-literal=a=b")

	c.power(t, two, true)
	c.power(t, three, true)
	c.apart(t, one, two, three)
	if _, _, id, err := c.members(t, two); err != nil || id != before {
		t.Fatalf("the old cluster is not what came back: %x, %v", id, err)
	}
	c.holds(t, one, "after") // whoever came back, nobody is led to it
	c.apply(t).want(t, 0).says(t, "set old etcd data aside")
	c.oneEtcd(t, one, two, three)
	if _, _, id, err := c.members(t, two); err != nil || id == before {
		t.Errorf("the cluster id is the old one: %x, %v", id, err)
	}
	c.kubectl(t, three, "create", "configmap", "last", "--from-literal=a=b")
	for _, h := range []string{one, two, three} {
		c.holds(t, h, "kept", "hidden", "after", "last")
		if kept := c.on(t, h, `find /var/lib/quorate/kept -path '*/var/lib/etcd/member/snap/db'`); kept == "" {
			t.Errorf("%s: the old data was not kept", h)
		}
	}
	c.noFence(t, one)
	c.nothingToDo(t)
	c.doorsSteady(t, one, two, three)
}

// apart waits until two hosts have an etcd with quorum of their own, and checks
// that they and the recovered one have nothing to do with each other.
func (c *cluster) apart(t *testing.T, one string, old ...string) {
	t.Helper()
	eventually(t, "the old etcd has its quorum", func() error {
		for _, h := range old {
			if _, err := c.try(t.Context(), h, etcdctl, "endpoint", "health"); err != nil {
				return err
			}
		}
		return nil
	})
	for _, h := range old {
		for _, way := range [][2]string{{h, one}, {one, h}} {
			out, err := c.try(t.Context(), way[0], etcdctl, "endpoint", "health", "--command-timeout=3s", "--endpoints=https://"+
				c.address(t, way[1])+":2379")
			if err == nil || !strings.Contains(out+err.Error(), "refused") {
				t.Errorf("%s is not kept from the etcd of %s: %s %v", way[0], way[1], out, err)
			}
		}
	}
}

// noFence: nobody is kept out any more.
func (c *cluster) noFence(t *testing.T, host string) {
	t.Helper()
	if out := c.on(t, host, `ls /etc/quorate/etcd-fence.nft 2>/dev/null; nft list tables | grep quorate_etcd || true`); out != "" {
		t.Errorf("%s: all are back, and the fence still stands: %s", host, out)
	}
}

// TestRestore takes a cluster back to a snapshot, with a quorate that is killed
// after one event, after three, after five and so on: each time the same command
// goes on.
func TestRestore(t *testing.T) {
	if !allChanges {
		t.Skip("only with all changes (make test-all)")
	}
	c := newCluster(t, "restore", 1, 0)
	c.apply(t).want(t, 0)
	one := c.controlPlanes()[0]
	c.kubectl(t, one, "create", "configmap", "before", "--from-literal=a=b")
	snap := strings.TrimSpace(run(t, c.dir, "etcd", "snapshot", "save", "-f", filepath.Base(c.File)).want(t, 0).out)
	c.kubectl(t, one, "delete", "configmap", "before")
	c.kubectl(t, one, "create", "configmap", "later", "--from-literal=a=b")
	events, ended := 1, false
	for ; !ended; events += 2 {
		r, seen := c.beginTo(t, "etcd", "restore", snap), 0
		killed := r.until(func(engine.Event) bool { seen++; return seen == events })
		if killed {
			r.kill()
		}
		if code := r.end(); code >= 0 {
			if ended = true; code != 0 {
				t.Fatalf("restore after %d kills: exit %d\n%s", events/2, code, r.err.String())
			}
		}
		if out := c.on(t, one, `ls -d /var/lib/etcd/member /var/lib/etcd/.quorate-old/member 2>/dev/null || true`); out == "" {
			t.Fatalf("killed after %d events, and there is no etcd data", events)
		}
	}
	t.Logf("%d kills", events/2)
	c.holds(t, one, "before")
	if out, err := c.tryKubectl(t, one, "get", "configmap", "later"); err == nil {
		t.Errorf("what was written after the snapshot is still there: %s", out)
	}
	c.kubectl(t, one, "create", "configmap", "last", "--from-literal=a=b")
	c.nothingToDo(t)
	c.oneEtcd(t, one)
	if out := c.on(t, one, `ls -A /var/lib/etcd; ls /var/lib/quorate`); strings.Contains(out, ".quorate") ||
		strings.Contains(out, "restore.db") {
		t.Errorf("left of the restore: %s", out)
	}
}

// TestRestoreCutShort: a healthy cluster goes back to a snapshot, quorate is
// killed once the new etcd is there, and all hosts lose their power. Old and new
// come up beside each other; apply makes one of them again.
func TestRestoreCutShort(t *testing.T) {
	if !allChanges {
		t.Skip("only with all changes (make test-all)")
	}
	c := newCluster(t, "cutshort", 3, 0)
	c.apply(t).want(t, 0)
	c.kubectl(t, "cp1", "create", "configmap", "before", "--from-literal=a=b")
	snap := strings.TrimSpace(run(t, c.dir, "etcd", "snapshot", "save", "-f", filepath.Base(c.File)).want(t, 0).out)
	c.kubectl(t, "cp1", "create", "configmap", "later", "--from-literal=a=b")
	r := c.beginTo(t, "etcd", "restore", snap)
	if !r.until(func(ev engine.Event) bool {
		return ev.Kind == engine.StepDone && ev.Step != nil && ev.Step.Kind == "swap-data"
	}) {
		t.Fatalf("no data was restored\n%s", r.err.String())
	}
	r.kill()
	r.end()
	at, _, _ := strings.Cut(snap, ":")
	for _, on := range []bool{false, true} {
		for _, h := range c.controlPlanes() {
			c.power(t, h, on)
		}
	}
	c.apart(t, at, without(c.controlPlanes(), at)...)
	c.holds(t, at, "before")
	c.kubectl(t, at, "--server=https://127.0.0.1:6443", "create", "configmap", "after", "--from-literal=a=b")
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, c.controlPlanes()...)
	for _, h := range c.controlPlanes() {
		c.holds(t, h, "before", "after")
		if out, err := c.tryKubectl(t, h, "--server=https://127.0.0.1:6443", "get", "configmap", "later"); err == nil {
			t.Errorf("%s: what was written after the snapshot is still there: %s", h, out)
		}
	}
	c.noFence(t, at)
}

// TestRecoverExternal: of three hosts that have etcd alone two are lost, and a
// control plane with them. The recovery is killed as each of its steps begins,
// and goes on. All three come back at once, believing in the old.
func TestRecoverExternal(t *testing.T) {
	if !allChanges {
		t.Skip("only with all changes (make test-all)")
	}
	c := newCluster(t, "external", 2, 0, "--etcd", "3")
	c.apply(t).want(t, 0)
	c.kubectl(t, "cp1", "create", "configmap", "kept", "--from-literal=a=b")
	lost := []string{"etcd2", "etcd3", "cp2"}
	for _, h := range lost {
		c.power(t, h, false)
	}
	for _, kind := range []string{"choose-survivor", "stop-control-plane", "stop-etcd", "stage-data", "fence", "swap-data", "supersede",
		"start-survivor", "run-kube-apiserver"} {
		r := c.beginTo(t, "etcd", "recover")
		if r.until(func(ev engine.Event) bool { return ev.Kind == engine.StepRun && ev.Step.Kind == kind }) {
			r.kill()
		} else {
			t.Errorf("no %s began\n%s", kind, r.err.String())
		}
		if code := r.end(); code >= 0 {
			t.Fatalf("killed as %s began: exit %d\n%s", kind, code, r.err.String())
		}
	}
	c.recover(t, "--yes").want(t, 0).says(t, "etcd is back on etcd1")
	c.holds(t, "cp1", "kept")
	c.kubectl(t, "cp1", "create", "configmap", "after", "--from-literal=a=b")
	for _, h := range lost {
		c.power(t, h, true)
	}
	c.apart(t, "etcd1", "etcd2", "etcd3")
	c.holds(t, "cp1", "after")
	c.apply(t).want(t, 0)
	c.oneEtcd(t, "etcd1", "etcd2", "etcd3")
	c.nothingToDo(t)
	for _, h := range c.controlPlanes() {
		c.holds(t, h, "kept", "after")
	}
	c.noFence(t, "etcd1")
}

// recover runs it without a terminal.
func (c *cluster) recover(t *testing.T, args ...string) result {
	t.Helper()
	return run(t, c.dir, append([]string{"etcd", "recover", "-f", filepath.Base(c.File)}, args...)...)
}

// holds polls until a host's own API server knows the objects.
func (c *cluster) holds(t *testing.T, host string, names ...string) {
	t.Helper()
	eventually(t, host+" serves what was written", func() error {
		out, err := c.tryKubectl(t, host, "--server=https://127.0.0.1:6443", "get", "configmaps,secrets", "-o", "name")
		for _, n := range names {
			if err == nil && !strings.Contains(out, "/"+n) {
				err = fmt.Errorf("no %s in %q", n, out)
			}
		}
		return err
	})
}
