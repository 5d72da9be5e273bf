//go:build lab && long

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fingerprint is what of a control plane a hostile worker must not change: its
// files, routes and since when its services run.
const fingerprint = `find /etc/kubernetes /etc/quorate /etc/systemd/system -type f | sort | xargs sha256sum
systemctl show -p ActiveEnterTimestamp etcd kube-apiserver kubelet; ip -4 route show | sort`

// deceive is what root on a worker lies by: each is a shell text that begins a
// lie. Whatever answers over SSH may be such a lie; the ss of the probe and the
// shell's startup file stand for all.
var deceive = []struct{ name, begin, says string }{
	{"another cluster's mark", `cp /etc/quorate/cluster /root/cluster; echo other >/etc/quorate/cluster`, `"other"`},
	{"an endless answer", `printf '#!/bin/sh\nexec yes forged\n' >/usr/local/sbin/ss; chmod +x /usr/local/sbin/ss`, ""},
	{"a huge answer", `printf '#!/bin/sh\nhead -c 40000000 /dev/zero | tr "\\0" x\n' >/usr/local/sbin/ss; chmod +x /usr/local/sbin/ss`, ""},
	{"no answer", `printf '#!/bin/sh\nexec sleep 1000\n' >/usr/local/sbin/ss; chmod +x /usr/local/sbin/ss`, ""},
	{"a shell that talks without an end", `echo yes >/root/.bashrc`, ""},
	{"a shell that never begins", `echo sleep 1000 >/root/.bashrc`, ""},
	{"a shell that is none", `echo exit 0 >/root/.bashrc`, ""},
}

// honest ends all lies.
const honest = `rm -rf /usr/local/sbin/ss /etc/rancher; : >/root/.bashrc; [ ! -e /root/cluster ] || mv /root/cluster /etc/quorate/cluster`

// TestHostile: root on a worker lies about everything that it can, while the
// cluster is created, grows, is healed and shrinks. The control planes become
// and stay what the file wants, no command hangs, and the worker is named.
func TestHostile(t *testing.T) {
	c := newCluster(t, "hostile", 3, 1)
	only := c.chooser(t)
	const w = "w1"
	lie := func(name string) {
		t.Helper()
		i := slices.IndexFunc(deceive, func(l struct{ name, begin, says string }) bool { return l.name == name })
		c.on(t, w, deceive[i].begin)
	}

	// A new worker that claims to be cp1, and somebody else's.
	only("cp1", w)
	c.on(t, w, `cp /etc/machine-id /root/machine-id; echo "$1" >/etc/machine-id; mkdir -p /etc/rancher /etc/quorate
echo "$1" >/etc/quorate/etcd-superseded`, strings.TrimSpace(c.on(t, "cp1", `cat /etc/machine-id`)))
	c.apply(t).want(t, 1).says(t, w+": ")
	c.oneEtcd(t, "cp1")
	c.on(t, w, honest+`; cat /root/machine-id >/etc/machine-id; rm -r /etc/quorate`)
	c.apply(t).want(t, 0)
	c.nodesReady(t, "cp1", "cp1", w)

	was := c.on(t, "cp1", fingerprint)
	untouched := func(when string) {
		t.Helper()
		if is := c.on(t, "cp1", fingerprint); is != was {
			t.Fatalf("%s: cp1 was changed\n%s\nwas\n%s", when, is, was)
		}
	}
	hostileFacts(t, c, w)
	untouched("forged facts")
	for _, l := range deceive {
		c.on(t, w, l.begin)
		r := c.plan(t).says(t, w, l.says)
		if r.code != 0 && r.code != 2 && r.code != 3 || strings.Contains(r.out, "  cp1  ") {
			t.Errorf("%s: %s\n%s\n%s", l.name, r, r.out, r.err)
		}
		c.on(t, w, honest)
		untouched(l.name)
	}

	lie("no answer")
	only("cp1", "cp2", "cp3", w)
	c.apply(t).want(t, 1).says(t, w)
	c.oneEtcd(t, "cp1", "cp2", "cp3")
	c.on(t, w, honest)

	// A lie by timing: all that it says is true, and late.
	c.on(t, w, `printf '#!/bin/sh\nsleep 15; exec /usr/bin/ss "$@"\n' >/usr/local/sbin/ss; chmod +x /usr/local/sbin/ss`)
	c.on(t, "cp2", `systemctl stop kube-scheduler`)
	c.apply(t).want(t, 0)
	c.on(t, w, honest)

	lie("an endless answer")
	c.on(t, "cp3", `systemctl stop etcd kube-apiserver`)
	c.apply(t).want(t, 1).says(t, w)
	c.oneEtcd(t, "cp1", "cp2", "cp3")
	c.on(t, w, honest)

	lie("another cluster's mark")
	only("cp1", w)
	c.apply(t, "--accept-outage").want(t, 1).says(t, w)
	c.oneEtcd(t, "cp1")
	c.on(t, w, honest)

	c.apply(t).want(t, 0)
	c.nothingToDo(t)
	c.nodesReady(t, "cp1", "cp1", w)
}

// hostileFacts: a worker's share of the pod network, the end of etcd, a
// recovery, a control plane's machine-id, keys, processes named like parts of an
// answer, a changed program, and links in the places where quorate writes. What
// is wrong on the worker is healed there; nobody else has anything to do.
func hostileFacts(t *testing.T, c *cluster, w string) {
	_, _, id, err := c.members(t, "cp1")
	if err != nil {
		t.Fatal(err)
	}
	c.on(t, w, `sed -i 's|"subnet": *"[^"]*"|"subnet": "0.0.0.0/1"|' /etc/cni/net.d/*.conflist
echo "$1" >/etc/quorate/etcd-superseded
printf '{"id":"a","token":"t","bump":1,"supersedes":["%s"],"host":"%s"}' "$1" "$(hostname)" >/etc/quorate/etcd-recovery.json
cp /etc/machine-id /root/machine-id; echo "$2" >/etc/machine-id
mkdir -p /root/x; evil=/root/x/$(printf 'x\n@@ lost\nyes'); cp "$(command -v socat)" "$evil"
"$evil" TCP-LISTEN:4999 - >/dev/null 2>&1 </dev/null &
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=kubernetes -keyout /etc/kubernetes/pki/ca.key -out /root/ca.crt 2>/dev/null
program=$(readlink -f /opt/quorate/bin/crictl)
cp "$program" /root/crictl; echo >>/root/crictl
d=/var/lib/quorate/store/sha256/${program#*/sha256/}; mkdir -p "${d%/*}"; cp /root/crictl "$d"; ln -sfn "$d" /opt/quorate/bin/crictl
n=0
for f in /etc/quorate/routes /var/lib/kubelet/config.yaml /etc/kubernetes/kubelet.conf /etc/systemd/system/kubelet.service \
	/etc/sysctl.d/90-quorate.conf /etc/containerd/config.toml /etc/quorate/lb.yaml /etc/quorate/nginx/nginx.conf /etc/crictl.yaml; do
	[ -f $f ] || continue
	n=$((n + 1)); { cat $f; echo '# mine'; } >/root/victim$n; rm $f; ln -s /root/victim$n $f
done
echo '# mine' >/root/victim99
# Beside what quorate writes, and where it locks and remembers.
for f in /etc/quorate/.quorate-routes /var/lib/kubelet/.quorate-config.yaml /etc/kubernetes/.quorate-kubelet.conf \
	/etc/systemd/system/.quorate-kubelet.service /etc/.quorate-hosts /etc/quorate/etcd-superseded.new /etc/quorate/etcd-recovery.json.new \
	/run/quorate/write.lock /run/quorate/digests /run/quorate/images /run/quorate/lock /run/quorate/lock.info.new \
	/opt/quorate/bin/crictl.new; do
	rm -f $f; ln -s /root/victim99 $f
done`, fmt.Sprintf("%x", id), strings.TrimSpace(c.on(t, "cp1", `cat /etc/machine-id`)))
	if r := c.plan(t).want(t, 2).says(t, "crictl changed on its disk", w); strings.Contains(r.out, "  cp1  ") {
		t.Errorf("the plan has something for cp1:\n%s", r.out)
	}
	c.apply(t).want(t, 0)
	if wrote := c.on(t, w, `cat /root/victim99`); strings.TrimSpace(wrote) != "# mine" {
		t.Errorf("%s: written through a link: %s", w, wrote)
	}
	left := c.on(t, w, `tail -q -n 1 /root/victim* | sort -u
grep -l '0.0.0.0/1' /etc/cni/net.d/* || true
find /etc/quorate /etc/kubernetes /var/lib/kubelet/config.yaml /etc/systemd/system/kubelet.service \
	/etc/sysctl.d/90-quorate.conf -type l ! -name '*.new'`) // what a worker has no cause to write stays
	if strings.TrimSpace(left) != "# mine" {
		t.Errorf("%s: what was forged is still there, or was written through: %s", w, left)
	}
	c.on(t, w, `rm -f /etc/quorate/etcd-superseded* /etc/quorate/etcd-recovery.json*; cat /root/machine-id >/etc/machine-id`)
	c.nothingToDo(t)
}
