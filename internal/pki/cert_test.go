package pki

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/topology"
)

var lay = layout.Systemd().PKI

var (
	cp1 = topology.Node{Name: "cp1", Address: "10.0.0.11", ControlPlane: true, Etcd: true}
	cp2 = topology.Node{Name: "cp2", Address: "10.0.0.12", ControlPlane: true, Etcd: true}
	w1  = topology.Node{Name: "w1", Address: "fd00::21", Worker: true}
	e1  = topology.Node{Name: "e1", Address: "10.0.0.31", Etcd: true}
)

func testContext(algorithm string) Context {
	return Context{
		Layout:        lay,
		ControlPlanes: []topology.Node{cp1, cp2},
		Endpoint:      "api.example.org:8443",
		CertSANs:      []string{"203.0.113.7", "*.example.net"},
		ServiceCIDR:   "10.96.0.0/12,fd01::/108",
		Algorithm:     algorithm,
	}
}

func leaves(t *testing.T, n topology.Node, cl Context) []Cert {
	t.Helper()
	out, err := Leaves(n, cl)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustIssue(t *testing.T, s Shared, c Cert) (certPEM, keyPEM []byte) {
	t.Helper()
	certPEM, keyPEM, err := Issue(s, c, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return certPEM, keyPEM
}

func inspect(t *testing.T, s Shared, c Cert, certPEM, keyPEM []byte) Found {
	t.Helper()
	ca, err := s.Authority(c.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Inspect(certPEM, keyPEM, ca.Cert)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Every leaf of every kind of node is what it says, verifies for exactly its
// usages and for all its names, and under its own CA only.
func TestEveryLeafVerifies(t *testing.T) {
	for _, algorithm := range []string{ECDSAP256, RSA2048} {
		s := newShared(t, Options{KeyAlgorithm: algorithm})
		nodes := []topology.Node{cp1, w1, e1}
		if algorithm == RSA2048 {
			nodes = nodes[:1] // its keys take long to make
		}
		for _, n := range nodes {
			for _, c := range leaves(t, n, testContext(algorithm)) {
				t.Run(fmt.Sprintf("%s/%s/%s", algorithm, n.Name, c.Name), func(t *testing.T) {
					certPEM, keyPEM := mustIssue(t, s, c)
					have := inspect(t, s, c, certPEM, keyPEM)
					if have.Spec != c.Spec() {
						t.Errorf("have %s\nwant %s", have.Spec, c.Spec())
					}
					if !Current(have, c, epoch) || !have.KeyMatches || !have.IssuedByUs {
						t.Errorf("fresh, yet: %s", Explain(have, c, epoch))
					}
					if _, err := tls.X509KeyPair(certPEM, keyPEM); err != nil {
						t.Error(err)
					}
					verifyLeaf(t, s, c, certPEM)
				})
			}
		}
	}
}

func verifyLeaf(t *testing.T, s Shared, c Cert, certPEM []byte) {
	t.Helper()
	certs, err := parseCerts(certPEM)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(ca CA, u x509.ExtKeyUsage, name string) error {
		a, err := s.Authority(ca)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(a.Cert)
		_, err = certs[0].Verify(x509.VerifyOptions{Roots: roots, CurrentTime: epoch, KeyUsages: []x509.ExtKeyUsage{u}, DNSName: name})
		return err
	}
	for u, wanted := range map[x509.ExtKeyUsage]bool{x509.ExtKeyUsageClientAuth: c.Client, x509.ExtKeyUsageServerAuth: c.Server} {
		for _, ca := range []CA{KubernetesCA, EtcdCA, FrontProxyCA} {
			if err := verify(ca, u, ""); (err == nil) != (wanted && ca == c.Issuer) {
				t.Errorf("%s CA, usage %s: %v", ca, usageName(u), err)
			}
		}
	}
	for _, name := range append(slices.Clone(c.DNS), c.IPs...) {
		if err := verify(c.Issuer, x509.ExtKeyUsageServerAuth, strings.Replace(name, "*", "any", 1)); err != nil {
			t.Errorf("name %s: %v", name, err)
		}
	}
	if certs[0].IsCA || !certs[0].NotBefore.Equal(epoch.Add(-backdate)) {
		t.Errorf("is a CA: %v, valid from %s", certs[0].IsCA, certs[0].NotBefore)
	}
}

// What is issued from a Cert is read back as the same line, whatever is in it
// and in whatever order.
func TestSpecSurvivesTheCertificate(t *testing.T) {
	s := newShared(t, Options{})
	r := rand.New(rand.NewSource(1))
	pick := func(from ...string) []string {
		var out []string
		for range r.Intn(5) {
			out = append(out, from[r.Intn(len(from))])
		}
		return out
	}
	for i := range 200 {
		c := Cert{
			Name: "any", Issuer: []CA{KubernetesCA, EtcdCA, FrontProxyCA}[r.Intn(3)],
			CommonName:    []string{"a", `b "quoted"`, "system:node:c", "d, O=x", ""}[r.Intn(5)],
			Organizations: pick("system:nodes", "b", "a b", `c"`),
			DNS:           pick("A.example", "a.example", "*.b", "c", "xn--bcher-kva.example"),
			IPs:           pick("10.0.0.1", "::ffff:10.0.0.1", "fd00:0::1", "FD00::1", "127.0.0.1"),
			Client:        r.Intn(2) == 0, Server: r.Intn(2) == 0,
		}
		certPEM, keyPEM := mustIssue(t, s, c)
		have := inspect(t, s, c, certPEM, keyPEM)
		if have.Spec != c.Spec() {
			t.Fatalf("%d: have %s\nwant %s", i, have.Spec, c.Spec())
		}
		shuffled := c
		shuffled.DNS, shuffled.IPs = slices.Clone(c.DNS), slices.Clone(c.IPs)
		slices.Reverse(shuffled.DNS)
		slices.Reverse(shuffled.IPs)
		if shuffled.Spec() != c.Spec() {
			t.Fatal("the order of names matters")
		}
	}
}

func TestIssueRefuses(t *testing.T) {
	s := newShared(t, Options{})
	for name, c := range map[string]Cert{
		"no CA of that name": {Name: "x", Issuer: "other"},
		"no address":         {Name: "x", Issuer: EtcdCA, IPs: []string{"node-1"}},
		"no algorithm":       {Name: "x", Issuer: EtcdCA, Algorithm: "DSA"},
		"negative validity":  {Name: "x", Issuer: EtcdCA, Days: -3},
	} {
		if _, _, err := Issue(s, c, epoch); err == nil || !strings.Contains(err.Error(), "certificate x") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := Issue(s, Cert{Name: "x", Issuer: EtcdCA}, epoch.AddDate(11, 0, 0)); err == nil {
		t.Error("an expired CA signed")
	}
}

func TestALeafNeverOutlivesItsCA(t *testing.T) {
	s := newShared(t, Options{CADays: 20})
	c := Cert{Name: "x", Issuer: EtcdCA, CommonName: "x", Client: true}
	certPEM, keyPEM := mustIssue(t, s, c)
	have := inspect(t, s, c, certPEM, keyPEM)
	if !have.NotAfter.Equal(have.CANotAfter) {
		t.Errorf("leaf until %s, CA until %s", have.NotAfter, have.CANotAfter)
	}
	if have.Due(epoch.AddDate(0, 0, 19)) {
		t.Error("due, though a new one would end at the same time: it would be renewed for ever")
	}
}

func TestClientsInMemory(t *testing.T) {
	s := newShared(t, Options{})
	certPEM, keyPEM, err := AdminClient(s, "quorate-admin", time.Hour, epoch)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Inspect(certPEM, keyPEM, s.CA.Cert)
	if err != nil {
		t.Fatal(err)
	}
	if want := `CN="quorate-admin" O=["system:masters"] DNS=[] IP=[] usage=["client"] key=ECDSA-P256`; f.Spec != want {
		t.Errorf("have %s\nwant %s", f.Spec, want)
	}
	if !f.NotAfter.Equal(epoch.Add(time.Hour)) {
		t.Errorf("valid until %s", f.NotAfter)
	}
	if cfg, err := EtcdTLS(s, epoch); err != nil || len(cfg.Certificates) != 1 || cfg.RootCAs == nil {
		t.Errorf("etcd client: %v", err)
	}
}
