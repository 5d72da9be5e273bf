//go:build lab

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/engine"
)

// TestRecover: two of three control planes lose their power. etcd comes back on
// the third, with everything that was written. Then the other two start, both
// at once and with their old data, so that the old etcd has its quorum again.
func TestRecover(t *testing.T) {
	c := newCluster(t, "recover", 3, 0)
	c.apply(t).want(t, 0)
	one, two, three := c.controlPlanes()[0], c.controlPlanes()[1], c.controlPlanes()[2]
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
	eventually(t, "the old etcd has its quorum", func() error {
		for _, h := range []string{two, three} {
			if _, err := c.try(t.Context(), h, etcdctl, "endpoint", "health"); err != nil {
				return err
			}
		}
		return nil
	})
	if _, _, id, err := c.members(t, two); err != nil || id != before {
		t.Fatalf("the old cluster is not what came back: %x, %v", id, err)
	}
	c.holds(t, one, "after") // whoever came back, nobody is led to it
	if out, err := c.try(t.Context(), two, etcdctl, "endpoint", "health", "--command-timeout=3s", "--endpoints=https://"+c.address(t, one)+":2379"); err == nil || !strings.Contains(out+err.Error(), "refused") {
		t.Errorf("a host with old data is not refused by the new etcd: %s %v", out, err)
	}
	c.apply(t).want(t, 0).says(t, "set old etcd data aside")
	c.oneEtcd(t, c.controlPlanes()...)
	if _, _, id, err := c.members(t, two); err != nil || id == before {
		t.Errorf("the cluster id is the old one: %x, %v", id, err)
	}
	c.kubectl(t, three, "create", "configmap", "last", "--from-literal=a=b")
	for _, h := range c.controlPlanes() {
		c.holds(t, h, "kept", "hidden", "after", "last")
		if kept := c.on(t, h, `find /var/lib/quorate/kept -path '*/var/lib/etcd/member/snap/db'`); kept == "" {
			t.Errorf("%s: the old data was not kept", h)
		}
	}
	if out := c.on(t, one, `ls /etc/quorate/etcd-fence.nft 2>/dev/null; nft list tables | grep quorate_etcd || true`); out != "" {
		t.Errorf("all are back, and the fence still stands: %s", out)
	}
	c.nothingToDo(t)
	c.doorsSteady(t, c.controlPlanes()...)
}

// TestRestore takes a cluster back to a snapshot, with a quorate that is killed
// at moments spread over the work: each time the same command goes on.
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
	if out := c.on(t, one, `ls -A /var/lib/etcd; ls /var/lib/quorate`); strings.Contains(out, ".quorate") || strings.Contains(out, "restore.db") {
		t.Errorf("left of the restore: %s", out)
	}
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
