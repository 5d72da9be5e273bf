//go:build lab

package e2e

import (
	"slices"
	"testing"
	"time"

	"quorate.dev/quorate/internal/lab"
	"quorate.dev/quorate/internal/spec"
)

// TestKinds: on a living cluster the kinds of load balancers take each other's place,
// HAProxy with Keepalived and quorate-lb on the same hosts and with the same address.
func TestKinds(t *testing.T) {
	if !allChanges {
		t.Skip("only with all changes (make test-all)")
	}
	for _, flavour := range []string{"systemd", spec.FlavourKubeadm} {
		t.Run(flavour, func(t *testing.T) { kinds(t, flavour) })
	}
}

func kinds(t *testing.T, flavour string) {
	c := newCluster(t, "kinds", 3, 1, "--load-balancers", "2")
	c.edit(t, func(f *spec.Cluster) { f.Spec.Kubernetes.Flavour = flavour })
	unit := `test ! -e /etc/systemd/system/"$1".service`
	c.behindVIP(t, spec.HAProxyBalancer)
	c.apply(t).want(t, 0)

	t.Log("from HAProxy and Keepalived to quorate-lb, on the same hosts")
	c.behindVIP(t, spec.BuiltinBalancer)
	c.cuts(t) // HAProxy closes what is open to an API server that restarts
	for _, lb := range c.of(lab.RoleLoadBalancer) {
		c.on(t, lb, unit, "kube-haproxy")
		c.on(t, lb, unit, "kube-keepalived")
	}
	c.answersAtVIP(t)
	c.losesVIP(t)

	t.Log("the load balancers leave, and the control planes share the address")
	c.edit(t, func(f *spec.Cluster) {
		f.Spec.Hosts = slices.DeleteFunc(f.Spec.Hosts, func(h spec.Host) bool { return h.Has(spec.RoleLoadBalancer) })
	})
	c.cuts(t) // quorate-lb restarts, with what is open through it
	c.answersAtVIP(t)
	c.losesVIP(t)

	t.Log("to somebody else's, of which the hosts know by lines of their own")
	lb, nodes := c.of(lab.RoleLoadBalancer)[0], slices.Concat(c.controlPlanes(), c.workers())
	c.standsOutside(t, lb)
	for _, h := range nodes {
		c.on(t, h, `echo "$1 api.$2.lab" >>/etc/hosts`, c.address(t, lb), c.Name)
	}
	c.shared, c.config = "api."+c.Name+".lab:8443", ""
	c.edit(t, func(f *spec.Cluster) { f.Spec.LoadBalancer = spec.LoadBalancer{Kind: spec.ExternalBalancer} })
	c.switched(t, spec.ExternalBalancer)
	for _, h := range nodes {
		c.on(t, h, unit, "quorate-lb")
	}

	t.Log("to nginx on every host")
	c.shared, c.config = "", ""
	c.balancer(t, spec.NginxBalancer)
	c.switched(t, spec.NginxBalancer)
	c.nodesReady(t, c.workers()[0], nodes...)
}

// cuts applies a change that cuts some requests off: one in a hundred at most.
func (c *cluster) cuts(t *testing.T) {
	t.Helper()
	if r := c.probed(t); r.Failures*100 > r.Requests {
		t.Error(r)
	}
	c.nothingToDo(t)
}

// answersAtVIP: one host holds the address, and an API server answers there by TLS.
func (c *cluster) answersAtVIP(t *testing.T) {
	t.Helper()
	owner := c.holder(t)
	run(t, c.dir, "status", "-f", c.File).want(t, 0).says(t, owner, "holds "+c.vip())
	eventually(t, "an API server answers at "+c.vip(), func() error {
		_, err := c.try(t.Context(), c.controlPlanes()[0], `curl -sf -m 5 -o /dev/null --cacert /etc/kubernetes/pki/ca.crt "https://$1:8443/readyz"`,
			c.vip())
		return err
	})
}

// losesVIP: quorate-lb is killed where the address is, and then hangs there. Another
// host has it, and the first takes part again.
func (c *cluster) losesVIP(t *testing.T) {
	t.Helper()
	for _, signal := range []string{"KILL", "STOP"} {
		from := c.holder(t)
		u := c.usersOf(t, c.vip()+":8443", "api."+c.Name+".lab", c.workers()[0])
		time.Sleep(2 * time.Second)
		begun := time.Now()
		c.on(t, from, `kill -"$1" "$(systemctl show -p MainPID --value quorate-lb)"`, signal)
		eventually(t, c.vip()+" moves away from "+from, func() error { return c.heldElsewhere(t, from) })
		time.Sleep(3 * time.Second)
		for _, r := range u.stop(begun) {
			t.Log("SIG"+signal+": ", r)
			if r.gap > mostMove || r.answers == 0 {
				t.Errorf("through %s: %s", c.vip(), r)
			}
		}
		eventually(t, from+": quorate-lb is back", func() error { // its watchdog ends what hangs
			_, err := c.try(t.Context(), from, `curl -sf -m 2 http://127.0.0.1:9440/healthz`)
			return err
		})
	}
	c.nothingToDo(t)
}
