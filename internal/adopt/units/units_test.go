package units

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
)

// The files of testdata are those that test/foreign/binary.sh writes.
func file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var until = time.Date(2036, 1, 2, 0, 0, 0, 0, time.UTC)

func pemOf(t *testing.T, name string, ca bool) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(7), NotAfter: until, IsCA: ca, BasicConstraintsValid: true,
		Subject:  pkix.Name{Country: []string{"CN"}, Province: []string{"Shang Hai"}, Organization: []string{"k8s"}, CommonName: name},
		DNSNames: []string{"kubernetes"}, IPAddresses: []net.IP{net.ParseIP("10.0.0.11").To4()}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// master answers as a host of the hand-made cluster; more are parts instead of
// those that it has.
func master(t *testing.T, name, address string, more map[string]string) host.Host {
	own := func(text string) string { return strings.ReplaceAll(text, "=10.0.0.11 ", "="+address+" ") }
	argv := base64.StdEncoding.EncodeToString([]byte("/opt/k8s/bin/kube-scheduler\x00--leader-elect=true\x00--kubeconfig\x00" +
		"/etc/kubernetes/kube-scheduler.kubeconfig\x00--bind-address=0.0.0.0\x00--v=2\x00"))
	parts := []string{"hostname", name + "\n", "address", "2: host0 inet " + address + "/24 scope global host0\n", "now", "1800000000\n",
		"running", "kube-apiserver 11 kube-apiserver.service /opt/k8s/bin/kube-apiserver \netcd 12 kube-etcd.service /opt/k8s/bin/etcd \n" +
			"nginx 13 kube-nginx.service /opt/k8s/bin/nginx bmdpbng6IG1hc3RlciBwcm9jZXNz\n" +
			"kube-controller-manager 14 kube-controller-manager.service /opt/k8s/bin/kube-controller-manager \n" +
			"kube-scheduler 15 kube-scheduler.service /opt/k8s/bin/kube-scheduler " + argv + "\n"}
	for _, u := range []string{"kube-apiserver", "kube-etcd", "kube-nginx", "kube-controller-manager", "kube-scheduler"} {
		show := "FragmentPath=/etc/systemd/system/" + u + ".service\nDropInPaths=\nActiveState=active\nUnitFileState=enabled\n"
		if u == "kube-controller-manager" {
			show += "EnvironmentFiles=/etc/kubernetes/kube-controller-manager.env (ignore_errors=no)\n"
		}
		parts = append(parts, "unit "+u+".service", show, "file /etc/systemd/system/"+u+".service", own(file(t, u+".service")))
	}
	parts = append(parts, "file /etc/kubernetes/kube-controller-manager.env", file(t, "kube-controller-manager.env"),
		"homes", "/root/.kube/config\n")
	second := []string{"cert /etc/kubernetes/cert/ca.pem", more["ca"], "cert /etc/kubernetes/cert/kubernetes.pem", more["kubernetes"],
		"conf /root/.kube/config", "kind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n" +
			"clusters: [{name: c, cluster: {server: 'https://127.0.0.1:8443'}}]\nusers: [{name: u, user: {}}]\n",
		"balancer /data/k8s/kube-nginx/kube-nginx.conf", file(t, "kube-nginx.conf"),
		"keys", "/etc/kubernetes/cert/ca-key.pem 600 root aaaa\n/etc/kubernetes/cert/kubernetes-key.pem 600 root bbbb\n"}
	for _, list := range [][]string{parts, second} {
		for i := 0; i < len(list); i += 2 {
			if with, there := more[list[i]]; there {
				list[i+1] = with
			}
		}
	}
	f := hosttest.New(name)
	f.Handle(func(_ context.Context, _ host.Cmd, stdin []byte) (host.Result, error) {
		if bytes.Contains(stdin, []byte("CERTS='")) {
			return hosttest.Framed(stdin, second...)
		}
		return hosttest.Framed(stdin, parts...)
	})
	return f
}

func TestReport(t *testing.T) {
	more := map[string]string{"ca": pemOf(t, "kubernetes-ca", true), "kubernetes": pemOf(t, "kubernetes", false)}
	hosts := map[string]host.Host{"10.0.0.11": master(t, "cp1", "10.0.0.11", more), "10.0.0.12": master(t, "cp2", "10.0.0.12", more)}
	lost := hosttest.New("10.0.0.13")
	lost.Exit(1, "no route to host")
	c := Find(t.Context(), []host.Host{hosts["10.0.0.11"]}, func(_, address string) host.Host {
		if h := hosts[address]; h != nil {
			return h
		}
		return lost
	})
	text := c.Report().Text()
	for _, want := range []string{
		"cp1        10.0.0.11  kube-apiserver           unit kube-apiserver, active, enabled           /opt/k8s/bin/kube-apiserver",
		"/etc/systemd/system/kube-controller-manager.service /etc/kubernetes/kube-controller-manager.env",
		"10.0.0.13  10.0.0.13  not seen",
		"  cp1: --advertise-address=10.0.0.11\n  cp2: --advertise-address=10.0.0.12\n",
		"  --etcd-servers=https://10.0.0.11:2379,https://10.0.0.12:2379,https://10.0.0.13:2379\n",
		"  --cluster-signing-key-file=/etc/kubernetes/cert/ca-key.pem\n", "  --kubeconfig=/etc/kubernetes/kube-scheduler.kubeconfig\n",
		"/etc/kubernetes/cert/kubernetes.pem: CN=kubernetes,O=k8s,ST=Shang Hai,C=CN\n",
		"RSA-2048, until 2036-01-02\n      for kubernetes 10.0.0.11 (cp1, cp2)",
		"/data/k8s/kube-nginx/kube-nginx.conf: nginx, unit kube-nginx\n      apiserver leads to 10.0.0.11:6443, 10.0.0.12:6443, 10.0.0.13:6443\n",
		"/root/.kube/config: https://127.0.0.1:8443 (cp1, cp2)",
		"cp1, cp2: anonymous requests are refused", "is the authority of clients of the API and of etcd",
		"cp1, cp2: they share the certificate /etc/kubernetes/cert/kubernetes.pem with its key", "etcd is told --initial-cluster-state=new",
		"etcd serves http://127.0.0.1:2379 without certificates", "etcd's log lies in /data/k8s/etcd/wal",
		"no file is written", "quorate doctor lb FILE",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	for _, no := range []string{"they share the certificate /etc/kubernetes/cert/ca.pem", "other flags than its files",
		"was found on no host", "was not seen to run"} {
		if strings.Contains(text, no) {
			t.Errorf("the report says %q", no)
		}
	}
	if t.Failed() {
		t.Log("\n" + text)
	}
	out, err := json.Marshal(c.Report())
	if err != nil || !bytes.Contains(out, []byte(`"component":"etcd","unit":"kube-etcd"`)) || bytes.Contains(out, []byte("bbbb")) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestFindings(t *testing.T) {
	ca, soon := pemOf(t, "ca", true), pemOf(t, "kubernetes", false)
	unit := file(t, "kube-apiserver.service")
	for name, c := range map[string]struct {
		part, text, says string
	}{
		"stopped": {"unit kube-etcd.service",
			"FragmentPath=/etc/systemd/system/kube-etcd.service\nActiveState=failed\nUnitFileState=disabled\n",
			"unit kube-etcd is failed and disabled"},
		"not understood": {"file /etc/systemd/system/kube-apiserver.service",
			"[Service]\nExecStart=/a\nExecStart=/b\n", "2 commands in ExecStart"},
		"changed": {"file /etc/systemd/system/kube-scheduler.service", strings.Replace(file(t, "kube-scheduler.service"), "--v=2", "--v=3", 1),
			"kube-scheduler runs with other flags"},
		"service accounts": {"file /etc/systemd/system/kube-apiserver.service",
			strings.Replace(unit, "key-file=/etc/kubernetes/cert/sa.pem", "key-file=/etc/kubernetes/cert/ca.pem", 1),
			"tokens are signed with the key of /etc/kubernetes/cert/ca.pem"},
		"no encryption": {"file /etc/systemd/system/kube-apiserver.service",
			strings.Replace(unit, "  --encryption-provider-config=/etc/kubernetes/encryption-config.yaml \\\n", "", 1), "not encrypted at rest"},
		"no key":       {"keys", "", "the key of /etc/kubernetes/cert/ca.pem was found on no host"},
		"expired":      {"now", "2200000000\n", "has expired on 2036-01-02"},
		"expires soon": {"now", "2080000000\n", "expires on 2036-01-02"},
		"gone server": {"balancer /data/k8s/kube-nginx/kube-nginx.conf",
			strings.Replace(file(t, "kube-nginx.conf"), "10.0.0.12", "10.0.0.99", 1), "names 10.0.0.99"},
	} {
		more := map[string]string{"ca": ca, "kubernetes": soon, c.part: c.text}
		got := Find(t.Context(), []host.Host{master(t, "cp1", "10.0.0.11", more)}, nil).Report().Text()
		if !strings.Contains(got, c.says) {
			t.Errorf("%s: the report does not say %q:\n%s", name, c.says, got)
		}
	}
}

// A password on a command line is not told.
func TestSecrets(t *testing.T) {
	more := map[string]string{"ca": pemOf(t, "ca", true), "kubernetes": pemOf(t, "kubernetes", false),
		"file /etc/systemd/system/kube-scheduler.service": "[Service]\n" +
			"ExecStart=/x --bootstrap-token=hidden1 --some-password hidden2 --token-ttl=1\n"}
	c := Find(t.Context(), []host.Host{master(t, "cp1", "10.0.0.11", more)}, nil)
	out, _ := json.Marshal(c.Report())
	if text := c.Report().Text(); strings.Contains(text+string(out), "hidden") || !strings.Contains(text, "--bootstrap-token=(not shown)") {
		t.Error(text)
	}
}
