//go:build lab

package e2e

import (
	"strings"
	"testing"
)

// TestForeign: what is not quorate's on a control plane forbids everything, on
// all hosts, before anything was changed. A worker is left out, and named.
func TestForeign(t *testing.T) {
	c := newCluster(t, "foreign", 1, 1)
	for _, d := range []struct {
		name, host string
		make, undo string
		says       []string
	}{
		{"a listener on 6443", "cp1",
			`systemd-run -q --unit=e2e-squatter socat TCP-LISTEN:6443,fork,reuseaddr EXEC:/bin/true && until ss -Hltn | grep -q ':6443 '; do sleep 0.1; done`,
			`systemctl stop e2e-squatter`, []string{"6443", "socat"}},
		{"a listener on the kubelet's port", "w1",
			`systemd-run -q --unit=e2e-squatter socat TCP-LISTEN:10250,fork,reuseaddr EXEC:/bin/true && until ss -Hltn | grep -q ':10250 '; do sleep 0.1; done`,
			`systemctl stop e2e-squatter`, []string{"10250", "socat"}},
		{"a static pod", "w1",
			`mkdir -p /etc/kubernetes/manifests && touch /etc/kubernetes/manifests/x.yaml`,
			`rm -r /etc/kubernetes`, []string{"/etc/kubernetes/manifests/x.yaml"}},
		{"etcd's data", "cp1", `mkdir -p /var/lib/etcd/member`, `rm -r /var/lib/etcd/member`, []string{"/var/lib/etcd"}},
		{"a unit of another's", "w1",
			`printf '[Service]\nExecStart=/bin/true\n' >/etc/systemd/system/kubelet.service && systemctl daemon-reload`,
			`rm /etc/systemd/system/kubelet.service; systemctl daemon-reload`, []string{"/etc/systemd/system/kubelet.service"}},
		{"another cluster's mark", "w1", `mkdir -p /etc/quorate && echo other >/etc/quorate/cluster`, `rm -r /etc/quorate`, []string{"other"}},
	} {
		t.Run(strings.ReplaceAll(d.name, " ", "-"), func(t *testing.T) {
			clean := c.files(t)
			c.on(t, d.host, d.make)
			before := c.files(t)
			if before == clean && !strings.Contains(d.name, "listener") {
				t.Fatal("what is foreign does not show, so that a change would not either")
			}
			if d.host == "cp1" {
				c.plan(t).want(t, 3).says(t, append(d.says, d.host)...)
				c.apply(t).want(t, 3).says(t, append(d.says, d.host)...)
			} else if r := c.plan(t).want(t, 2).says(t, append(d.says, "Deferred", d.host+": ")...); strings.Contains(r.out, "  "+d.host+"  ") {
				t.Errorf("the plan has steps for %s:\n%s", d.host, r.out)
			}
			if after := c.files(t); after != before {
				t.Errorf("files were changed. Before:\n%s\nafter:\n%s", before, after)
			}
			c.on(t, d.host, d.undo)
		})
	}
	// Now that nothing forbids it, there is something to do.
	c.plan(t).want(t, 2)
	t.Run("remote-command", func(t *testing.T) { remoteCommand(t, c) })
}

// files are all files that quorate might write, with what they hold.
func (c *cluster) files(t *testing.T) string {
	var b strings.Builder
	for _, h := range c.of("") {
		b.WriteString(h + ":\n" + c.on(t, h, `cd / && find etc opt usr/local var/lib/etcd var/lib/kubelet var/lib/quorate var/lib/containerd run/quorate -xdev ! -name '*.lock' \( -type d -printf '%p/\n' -o -type f -exec sha256sum {} + -o -printf '%p %l\n' \) 2>/dev/null | sort`))
	}
	return b.String()
}
