//go:build lab

package e2e

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/lab"
	"quorate.dev/quorate/internal/spec"
)

// mostMove is how long clients may get no answer while the virtual address moves:
// VRRP waits for three adverts of a second, and the machine may be slow.
const mostMove = 40 * time.Second

// TestHAProxy: a cluster behind HAProxy and Keepalived on hosts of their own. The
// host that holds the virtual address is lost, while clients ask.
func TestHAProxy(t *testing.T) {
	c := newCluster(t, "haproxy", 1, 1, "--load-balancers", "2")
	c.behindVIP(t, spec.HAProxyBalancer)
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	w := c.workers()[0]
	c.nodesReady(t, c.controlPlanes()[0], c.of("")[0], w)
	for _, lb := range c.of(lab.RoleLoadBalancer) {
		run(t, c.dir, "doctor", "lb", "-f", c.File, "--host", lb).want(t, 0)
		if mode := c.on(t, lb, `stat -c '%a %U' /etc/quorate/haproxy/login.env`); mode != "600 root" {
			t.Errorf("%s: the login of the statistics page has mode and owner %s", lb, mode)
		}
	}
	owner := c.holder(t)
	run(t, c.dir, "status", "-f", c.File).want(t, 0).says(t, owner, "holds "+c.vip())
	u := c.users(t, w)
	time.Sleep(2 * time.Second)
	begun := time.Now()
	c.power(t, owner, false)
	c.moved(t, owner)
	time.Sleep(3 * time.Second)
	for _, r := range u.stop(begun) {
		t.Log(r)
		if r.gap > mostMove || r.answers == 0 {
			t.Errorf("through %s: %s", c.vip(), r)
		}
	}
	c.power(t, owner, true)
	c.nothingToDo(t)
	if now := c.holder(t); now == owner {
		t.Errorf("%s took the address back when it returned", owner)
	}
	if allChanges {
		c.switchHAProxy(t)
	}
}

// switchHAProxy goes to nginx on every node and back, and fails if anything but
// slowness costs a request.
func (c *cluster) switchHAProxy(t *testing.T) {
	w, unit := c.workers()[0], `test ! -e /etc/systemd/system/"$1".service`
	c.shared, c.config = "", ""
	c.edit(t, func(f *spec.Cluster) { f.Spec.LoadBalancer = spec.LoadBalancer{Kind: spec.NginxBalancer} })
	c.switched(t, "nginx")
	for _, lb := range c.of(lab.RoleLoadBalancer) {
		c.on(t, lb, unit, "kube-haproxy")
	}
	c.nodesReady(t, w, c.controlPlanes()[0], w)

	c.behindVIP(t, spec.HAProxyBalancer)
	c.switched(t, spec.HAProxyBalancer)
	c.holder(t)
	for _, h := range []string{c.controlPlanes()[0], w} {
		c.on(t, h, unit, "kube-nginx")
	}
	c.nodesReady(t, w, c.controlPlanes()[0], w)
}

// vip is the virtual address of a lab's load balancers.
func (c *cluster) vip() string {
	a := c.Prefix().Addr().As4()
	a[3] = 100
	return netip.AddrFrom4(a).String()
}

// behindVIP makes the lab's load balancers those of the cluster file, with a virtual
// address. With HAProxy all nodes use that.
func (c *cluster) behindVIP(t *testing.T, kind string) {
	t.Helper()
	if c.shared, c.config = "", ""; kind == spec.HAProxyBalancer {
		c.shared = "api." + c.Name + ".lab:8443"
	}
	c.edit(t, func(f *spec.Cluster) {
		f.Spec.LoadBalancer = spec.LoadBalancer{Kind: kind, VIP: &spec.VIP{Address: c.vip() + "/24"}}
		if len(f.LoadBalancers()) > 0 {
			return
		}
		for _, name := range c.of(lab.RoleLoadBalancer) {
			f.Spec.Hosts = append(f.Spec.Hosts, spec.Host{Name: name, Address: c.address(t, name), Roles: []string{spec.RoleLoadBalancer}})
		}
	})
}

// holders are the hosts that hold the virtual address.
func (c *cluster) holders(t *testing.T) (out []string) {
	t.Helper()
	for _, h := range slices.Concat(c.of(lab.RoleLoadBalancer), c.controlPlanes()) {
		if said, err := c.try(t.Context(), h, `ip -o -4 address show to "$1"`, c.vip()); err == nil && said != "" {
			out = append(out, h)
		}
	}
	return out
}

// heldElsewhere: one host holds the virtual address, and not this one.
func (c *cluster) heldElsewhere(t *testing.T, from string) error {
	t.Helper()
	if all := c.holders(t); len(all) != 1 || all[0] == from {
		return fmt.Errorf("held by %q", all)
	}
	return nil
}

// holder is the one that holds it, once there is one and no other.
func (c *cluster) holder(t *testing.T) (one string) {
	t.Helper()
	eventually(t, "one host holds "+c.vip(), func() error {
		all := c.holders(t)
		if len(all) != 1 {
			return fmt.Errorf("held by %q", all)
		}
		one = all[0]
		return nil
	})
	return one
}

// moved waits until another one holds the address, and the API answers there.
func (c *cluster) moved(t *testing.T, from string) {
	t.Helper()
	w := c.workers()[0]
	eventually(t, c.vip()+" moves away from "+from, func() error {
		if err := c.heldElsewhere(t, from); err != nil {
			return err
		}
		said, err := c.try(t.Context(), w, `curl -sk -m 5 https://api."$1".lab:8443/readyz`, c.Name)
		if err == nil && said != "ok" {
			err = errors.New(strings.TrimSpace(said))
		}
		return err
	})
}
