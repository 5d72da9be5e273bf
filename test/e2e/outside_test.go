//go:build lab

package e2e

import (
	"testing"

	"quorate.dev/quorate/internal/lab"
	"quorate.dev/quorate/internal/spec"
)

// TestOutside: a cluster behind a load balancer that is somebody else's, here a HAProxy
// of which quorate knows nothing.
func TestOutside(t *testing.T) {
	if !allChanges {
		t.Skip("only with all changes (make test-all)")
	}
	c := newCluster(t, "outside", 1, 1, "--load-balancers", "1")
	cp, w, lb := c.controlPlanes()[0], c.workers()[0], c.of(lab.RoleLoadBalancer)[0]
	c.shared = "api." + c.Name + ".lab:8443"
	c.edit(t, func(f *spec.Cluster) { f.Spec.LoadBalancer = spec.LoadBalancer{Kind: spec.ExternalBalancer} })

	t.Log("its name leads nowhere")
	c.plan(t).says(t, "the endpoint api."+c.Name+".lab:8443 has a name that leads nowhere there", cp+" "+c.address(t, cp)+":6443")
	for _, h := range []string{cp, w} { // as their DNS says
		c.on(t, h, `echo "$1 api.$2.lab" >>/etc/hosts`, c.address(t, lb), c.Name)
	}
	t.Log("it refuses: nothing stands behind it yet")
	c.plan(t).want(t, 2).says(t, "reach an API server by the endpoint")
	c.standsOutside(t, lb)
	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.nodesReady(t, cp, cp, w)
	run(t, c.dir, "status", "-f", c.File).want(t, 0).says(t, "it led to an API server from "+cp+", "+w, "GET /readyz")

	c.switchOutside(t, cp, w)

	t.Log("it is gone")
	c.on(t, lb, "systemctl stop outside")
	run(t, c.dir, "status", "-f", c.File).says(t, "tried from "+w+", the endpoint", "refuses connections")
}

// standsOutside runs a HAProxy on a host, before all control planes.
func (c *cluster) standsOutside(t *testing.T, lb string) {
	t.Helper()
	var at []string
	for _, cp := range c.controlPlanes() {
		at = append(at, c.address(t, cp))
	}
	c.on(t, lb, `{ cat <<END
defaults
 mode tcp
 timeout connect 2s
 timeout client 1h
 timeout server 1h
 default-server check check-ssl verify none inter 1s fall 2 rise 2 on-marked-down shutdown-sessions
listen kubernetes
 bind :8443
 option httpchk GET /readyz
END
for a; do echo " server s$a $a:6443"; done; } >/root/haproxy.cfg
systemd-run -q --unit=outside haproxy -db -f /root/haproxy.cfg`, at...)
}

// switchOutside goes to quorate's own load balancer and back to somebody else's, of
// which the hosts know by a line in their hosts file that is not quorate's.
func (c *cluster) switchOutside(t *testing.T, cp, w string) {
	t.Helper()
	leads := `getent ahostsv4 api."$1".lab | grep -q "^$2 "`
	c.shared, c.config = "", ""
	c.balancer(t, spec.NginxBalancer) // quorate-lb would restart the only API server
	c.switched(t, spec.NginxBalancer)
	for _, h := range []string{cp, w} {
		c.on(t, h, `systemctl is-active -q kube-nginx`)
		c.on(t, h, leads, c.Name, "127.0.0.1")
	}
	c.nodesReady(t, cp, cp, w)

	t.Log("one node knows nothing of the other load balancer: nothing is changed")
	c.shared, c.config = "api."+c.Name+".lab:8443", ""
	c.balancer(t, spec.ExternalBalancer)
	c.on(t, w, `cp /etc/hosts /root/hosts && sed -i '/^127.0.0.1 api/!{/ api\./d}' /etc/hosts`)
	c.plan(t).says(t, "past them no API server is reached from "+w+" (the endpoint ")
	c.apply(t).says(t, "until then nothing is changed")
	for _, h := range []string{cp, w} {
		c.on(t, h, `systemctl is-active -q kube-nginx`)
		c.on(t, h, leads, c.Name, "127.0.0.1")
	}
	run(t, c.dir, "status", "-f", c.File).says(t, "the endpoint's name still leads to quorate's own on "+cp+", "+w,
		"tried from "+w+" past quorate's own load balancer")
	c.on(t, w, `cat /root/hosts >/etc/hosts`)

	c.switched(t, spec.ExternalBalancer)
	for _, h := range []string{cp, w} {
		c.on(t, h, `test ! -e /etc/systemd/system/kube-nginx.service`)
		c.on(t, h, `! `+leads, c.Name, "127.0.0.1")
	}
	c.nodesReady(t, cp, cp, w)
	run(t, c.dir, "status", "-f", c.File).want(t, 0).says(t, "it led to an API server from "+cp+", "+w)
}
