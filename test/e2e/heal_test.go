//go:build lab

package e2e

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/pki"
)

// forge signs a certificate of a host anew with the cluster's own CA, for the
// same key, after a change for the worse.
func (c *cluster) forge(t *testing.T, host, path string, by pki.CA, change func(*x509.Certificate)) {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(c.on(t, host, `base64 -w0 "$1"`, path))
	if err != nil {
		t.Fatal(err)
	}
	s := c.keys(t, host)
	ca, err := s.Authority(by)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(ca.Cert, ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	block, key := pem.Decode(text) // the kubelet's has its key behind it
	was, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	next := *was
	change(&next)
	der, err := x509.CreateCertificate(rand.Reader, &next, pair.Leaf, was.PublicKey, pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.feed(t.Context(), host, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))+string(key),
		`cat >"$1"`, path); err != nil {
		t.Fatal(err)
	}
}

func expired(x *x509.Certificate) {
	x.NotBefore, x.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-time.Hour)
}

// served is the certificate that a port of a host shows.
func (c *cluster) served(t *testing.T, host, port string) *x509.Certificate {
	t.Helper()
	conn, err := tls.Dial("tcp", net.JoinHostPort(c.address(t, host), port), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

// heal breaks a cluster of three control planes in many ways at once, none of
// which stops it, and lets one apply heal all of them.
func heal(t *testing.T, c *cluster, a, b, d, w string) {
	// Others name what is not there.
	eventually(t, "a ghost is listed", func() error { // etcd wants its members connected for five seconds
		_, err := c.try(t.Context(), a, etcdctl, "member", "add", "ghost", "--learner", "--peer-urls=https://10.255.255.9:2380")
		return err
	})
	c.create(t, w, `{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "ghost"}}`)
	const masked, looping = "kube-scheduler", "kube-controller-manager"
	c.on(t, a, `ln -sf /dev/null /etc/systemd/system/$1.service && systemctl daemon-reload && systemctl stop $1`, masked)
	c.on(t, b, `d=/etc/systemd/system/$1.service.d; mkdir -p $d
printf '[Service]\nExecStart=\nExecStart=/opt/quorate/bin/%s --no-such-flag\n' $1 >$d/by-hand.conf
printf '[Service]\nEnvironment=HTTPS_PROXY=http://proxy.example:3128\n' >$d/proxy.conf
systemctl daemon-reload; systemctl restart --no-block $1`, looping)
	c.on(t, b, `rm /etc/kubernetes/scheduler.conf; echo '# by hand' >>/etc/kubernetes/audit-policy.yaml; systemctl disable -q kubelet`)
	c.on(t, w, `rm /opt/quorate/bin/kube-proxy; systemctl restart --no-block kube-proxy; true`)
	c.on(t, d, `rm /etc/kubernetes/pki/etcd/peer.key`)
	c.forge(t, a, "/etc/kubernetes/pki/apiserver.crt", pki.KubernetesCA, expired)
	c.forge(t, b, "/etc/kubernetes/pki/etcd/peer.crt", pki.EtcdCA, expired)
	c.forge(t, d, "/etc/kubernetes/pki/kubelet-server.crt", pki.KubernetesCA, func(x *x509.Certificate) { x.IPAddresses = nil })
	c.forge(t, b, "/var/lib/kubelet/pki/kubelet-client-current.pem", pki.KubernetesCA, expired)
	c.on(t, b, `systemctl restart --no-block kubelet`)
	// The data of a member vanishes under it, and systemd starts it again: it
	// must not come back as the voter that it was.
	id := c.memberID(t, d)
	c.on(t, d, `rm -r /var/lib/etcd/member; systemctl kill -s KILL etcd`)
	eventually(t, d+": etcd refuses to start without data", func() error {
		if out := c.on(t, d, `journalctl -q -u etcd -o cat --since=-2min; ls /var/lib/etcd`); !strings.Contains(out, "run quorate apply") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})

	c.plan(t).want(t, 2).says(t, "start kube-scheduler", "is crash-looping", "apiserver: expired", "etcd-peer is missing, or its key",
		"etcd-peer: expired", "lacks SAN", "its client certificate expired on", "its data is gone", "install binaries", "ghost  ")
	c.apply(t, "--verbose").want(t, 0).says(t, "by-hand.conf at /var/lib/quorate/kept/")
	c.nothingToDo(t)
	c.oneEtcd(t, a, b, d)
	c.nodesReady(t, w, a, b, d, w)
	if now := c.memberID(t, d); now == id {
		t.Errorf("%s votes as %s again, though its data was gone", d, id)
	}
	if left := c.served(t, a, "6443"); time.Now().After(left.NotAfter) {
		t.Errorf("the API server of %s still serves a certificate that ended at %s", a, left.NotAfter)
	}
	c.on(t, a, `systemctl is-active $1 && systemctl is-enabled $1`, masked)
	c.on(t, b, `systemctl is-active $1 && systemctl is-enabled kubelet && test -f /etc/systemd/system/$1.service.d/proxy.conf`, looping)
	c.on(t, w, `systemctl is-active kube-proxy`)
	c.on(t, d, `test -s /etc/kubernetes/pki/etcd/peer.key`)
}

// memberID is the id under which a host's etcd is listed.
func (c *cluster) memberID(t *testing.T, host string) string {
	t.Helper()
	for line := range strings.Lines(c.on(t, host, etcdctl, "member", "list")) {
		if f := strings.Split(strings.TrimSpace(line), ", "); len(f) > 2 && f[2] == host {
			return f[0]
		}
	}
	t.Fatalf("%s is not on etcd's member list", host)
	return ""
}
