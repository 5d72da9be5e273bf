package refs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/layout"
)

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// here is this machine as a host.
func here() host.Host {
	h := hosttest.New("w1")
	h.Handle(func(ctx context.Context, c host.Cmd, stdin []byte) (host.Result, error) {
		cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
		cmd.Stdin = strings.NewReader(string(stdin))
		out, err := cmd.Output()
		return host.Result{Stdout: out}, err
	}, "sh")
	return h
}

// certificate is a server's, as PEM.
func certificate(t *testing.T, names []string, ips ...string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: names}
	for _, ip := range ips {
		cert.IPAddresses = append(cert.IPAddresses, net.ParseIP(ip))
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// The script itself, on files of a test's own: each kind of place is found, a
// pipe holds up nothing, and no secret leaves.
func TestLook(t *testing.T) {
	root := t.TempDir()
	at := layout.Systemd()
	for _, p := range []*string{&at.FrontDoor.Config, &at.Balancer.Config, &at.UnitDir, &at.Etcd.Initial, &at.Kubelet.Flags,
		&at.Kubelet.Manifests, &at.CNI.Conf, &at.PodNetwork.Routes, &at.Kubelet.Config, &at.Kubernetes,
		&at.Kubelet.Kubeconfig, &at.KubeProxy.Kubeconfig,
		&at.Scheduler.Kubeconfig, &at.ControllerManager.Kubeconfig, &at.PKI.Dir} {
		*p = root + *p
	}
	write(t, root+"/etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nnobody:x:1:1::/nonexistent:/bin/false\n")
	write(t, root+"/home/alice/.kube/config", kubeconfig("https://10.0.0.13:6443", "our CA")+"users:\n- name: a\n  user: {token: hunter2}\n")
	write(t, root+"/root/.kube/config", kubeconfig("https://10.0.0.77:6443", "their CA"))
	write(t, at.FrontDoor.Config, "upstream a {\n  server 10.0.0.11:6443;\n  server 10.0.0.13:6443;\n}\n")
	write(t, root+"/etc/haproxy/haproxy.cfg", "  server cp3 10.0.0.13:6443 check\n")
	write(t, at.UnitDir+"/etcd.service", "[Service]\nExecStart=/x --initial-cluster=cp1=https://10.0.0.11:2380 \\\n"+
		" --y=https://10.0.0.99:2380\n")
	write(t, at.Kubelet.Manifests+"/kube-apiserver.yaml", "- --etcd-servers=https://10.0.0.11:2379,https://10.0.0.13:2379\n"+
		"- --advertise-address=10.0.0.12\n")
	write(t, root+"/etc/hosts", "127.0.0.1 localhost\n10.0.0.13 cp3.prod.example\n# 10.0.0.13 was here\n")
	write(t, root+"/etc/cron.d/health", "* * * * * root curl -k https://10.0.0.13:6443/healthz\n")
	write(t, root+"/etc/cron.daily/backup", "#!/bin/sh\nrsync cp3:/x /y; ping 192.0.2.9\n")
	write(t, at.CNI.Conf+"/10.conf", `{"server":"https://[fd00::13]:6443","net":"10.0.0.0/24"}`)
	write(t, root+"/etc/default/x y", "API=10.0.0.98:6443\nDATA=cp3/x\n"+strings.Repeat("Acp3", 20)+"\n")
	write(t, at.PKI.Dir+"/apiserver.crt", certificate(t, []string{"cp1", "cp3", "kubernetes"}, "10.0.0.11", "10.0.0.13", "10.96.0.1"))
	if err := syscall.Mkfifo(root+"/etc/cron.d/pipe", 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("loop", root+"/etc/cron.d/loop"); err != nil {
		t.Fatal(err)
	}
	seen, not, err := prod().look(t.Context(), here(), at, root)
	if err != nil || len(not) > 0 {
		t.Fatal(err, not)
	}
	r := Judge(prod(), seen, nil)
	var got []string
	for _, ref := range r.Refs {
		got = append(got, fmt.Sprintf("%s:%d %s", strings.TrimPrefix(ref.Place, root), ref.Line, ref.Names))
	}
	trim := func(p string) string { return strings.TrimPrefix(p, root) }
	want := []string{
		trim(at.FrontDoor.Config) + ":3 10.0.0.13:6443", "/etc/haproxy/haproxy.cfg:1 10.0.0.13:6443", "/etc/haproxy/haproxy.cfg:1 cp3",
		trim(at.UnitDir) + "/etcd.service:3 10.0.0.99:2380", trim(at.Kubelet.Manifests) + "/kube-apiserver.yaml:1 10.0.0.13:2379",
		"/etc/hosts:2 10.0.0.13", "/etc/hosts:2 cp3.prod.example", "/etc/cron.d/health:1 10.0.0.13:6443", "/etc/cron.daily/backup:2 cp3",
		trim(at.CNI.Conf) + "/10.conf:1 [fd00::13]:6443", "/etc/default/x y:1 10.0.0.98:6443", "/etc/default/x y:2 cp3",
		"/home/alice/.kube/config:0 10.0.0.13:6443", trim(at.PKI.Dir) + "/apiserver.crt:0 10.0.0.13", trim(at.PKI.Dir) + "/apiserver.crt:0 cp3"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if text := fmt.Sprint(seen, r.Text()); strings.Contains(text, "hunter2") {
		t.Errorf("a secret left: %s", text)
	}
}

// A host that names addresses without an end is cut short, and that is said.
func TestEndlessWords(t *testing.T) {
	root := t.TempDir()
	at := layout.Systemd()
	at.CNI.Conf = root + "/cni"
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "192.0.%d.%d\n", i/250, i%250)
	}
	write(t, at.CNI.Conf+"/a", b.String())
	_, not, err := prod().look(t.Context(), here(), at, root)
	if err != nil || len(not) != 1 || !strings.Contains(not[0], "more addresses than are read") {
		t.Errorf("%v, %q", err, not)
	}
	seen, cut := words("w1", "nonsense\n\t\t\t\nhosts\tx\t10.0.0.13\t/etc/hosts\nmore\n")
	if len(seen) != 1 || seen[0].Name != "10.0.0.13" || !cut {
		t.Errorf("%+v, %t", seen, cut)
	}
}
