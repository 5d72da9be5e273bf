//go:build lab

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/spec"
)

// TestBuiltin: a cluster with quorate-lb. A host falls silent, an API server
// hangs, and the kind of load balancer changes, while clients ask through the
// front doors.
func TestBuiltin(t *testing.T) {
	c := newCluster(t, "builtin", 3, 1)
	c.balancer(t, spec.BuiltinBalancer)
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.oneEtcd(t, c.controlPlanes()...)
	confinement(t, c)
	for _, s := range []struct {
		name string
		test func(*testing.T, *cluster)
	}{{"one way to etcd", oneWay}, {"defragment", defragment}, {"silent host", silentHost}, {"hung API server", hungServer}, {"switch", switchKinds}} {
		if !t.Run(s.name, func(t *testing.T) { s.test(t, c) }) {
			return // the next would begin with a broken cluster
		}
	}
}

// balancer chooses the kind in the cluster file.
func (c *cluster) balancer(t *testing.T, kind string) {
	t.Helper()
	c.edit(t, func(f *spec.Cluster) { f.Spec.LoadBalancer.Kind = kind })
}

// oneWay: an API server whose own etcd member is down goes on, and is not
// restarted.
func oneWay(t *testing.T, c *cluster) {
	h := without(c.controlPlanes(), c.leader(t))[0]
	before := c.started(t, h)
	c.on(t, h, `systemctl stop etcd`)
	eventually(t, h+": its API server takes writes without its own etcd", func() error {
		_, err := c.tryKubectl(t, h, "--server=https://127.0.0.1:6443", "create", "configmap", "one-way")
		return err
	})
	c.on(t, h, `systemctl start etcd`)
	c.oneEtcd(t, c.controlPlanes()...)
	if after := c.started(t, h); after != before {
		t.Errorf("%s: the API server that started at %s has started again at %s", h, before, after)
	}
}

// defragment: while a member is defragmented, balancers lead API servers to
// others.
func defragment(t *testing.T, c *cluster) {
	run(t, c.dir, "etcd", "defrag", "-f", c.File).want(t, 0)
	for _, h := range c.controlPlanes() {
		log := c.on(t, h, `test ! -e /run/quorate-lb/leaving && journalctl -q -o cat -u quorate-lb`)
		if !strings.Contains(log, "leaving=1") {
			t.Errorf("%s: its load balancer was not told that a member leaves:\n%s", h, log)
		}
	}
}

// started is when a host's API server started.
func (c *cluster) started(t *testing.T, host string) string {
	t.Helper()
	return c.on(t, host, `systemctl show -p ExecMainStartTimestampMonotonic --value kube-apiserver`)
}

// silentHost: all packets of a follower's host are dropped.
func silentHost(t *testing.T, c *cluster) {
	others := without(c.controlPlanes(), c.leader(t))
	victim, through := others[0], others[1]
	c.felt(t, through, victim, func() error { return c.Cut(t.Context(), victim) })
	if err := c.Heal(t.Context(), victim); err != nil {
		t.Fatal(err)
	}
	c.oneEtcd(t, c.controlPlanes()...)
	c.doorsSteady(t, c.of("")...)
}

// hungServer: an API server is stopped. Its host takes connections on.
func hungServer(t *testing.T, c *cluster) {
	others := without(c.controlPlanes(), c.leader(t))
	victim, through := others[0], others[1]
	c.felt(t, through, victim, func() error { return c.Hang(t.Context(), victim, "kube-apiserver") })
	if err := c.Heal(t.Context(), victim); err != nil {
		t.Fatal(err)
	}
	c.doorsSteady(t, c.of("")...)
}

// felt breaks a control plane while clients ask through the front doors of
// another one and of the worker, and fails the test if they wait for long. How
// long they wait is told; the bounds leave room for slow machines.
func (c *cluster) felt(t *testing.T, through, victim string, breaks func() error) {
	t.Helper()
	u := c.users(t, through, c.workers()[0])
	u.settle(t, c, victim)
	if err := breaks(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	time.Sleep(mostGap + 2*time.Second) // the fault lasts as long
	for _, r := range u.stop(begun) {
		t.Log(r)
		if r.failed > 0 && r.fresh || r.gap > mostGap {
			t.Errorf("through the door of %s: %s", r.door, r)
		}
	}
}

// switchKinds goes to nginx, with all changes also back, and fails if anything
// but slowness costs a request. How slow a request may be depends on the machine
// under the tests.
func switchKinds(t *testing.T, c *cluster) {
	for _, kind := range []string{"nginx", spec.BuiltinBalancer} {
		if kind != "nginx" && !allChanges {
			break
		}
		c.balancer(t, kind)
		c.switched(t, kind)
		confinement(t, c)
	}
	c.doorsSteady(t, c.of("")...)
}

// switched applies another kind of load balancer while the cluster is asked.
func (c *cluster) switched(t *testing.T, kind string) {
	t.Helper()
	t.Log("to ", kind)
	if r := c.probed(t); slices.ContainsFunc(r.Errors, func(e string) bool {
		return !strings.Contains(e, "deadline exceeded") && !strings.Contains(e, "watch")
	}) {
		t.Errorf("to %s: %s", kind, r)
	}
	c.nothingToDo(t)
}
