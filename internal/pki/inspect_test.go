package pki

import (
	"encoding/pem"
	"testing"
	"time"
)

func TestExplain(t *testing.T) {
	s, other := newShared(t, Options{}), newShared(t, Options{})
	want := Cert{Name: "x", Issuer: KubernetesCA, CommonName: "kube-apiserver", DNS: []string{"cp1"},
		IPs: []string{"10.0.0.11", "10.0.0.13"}, Server: true}
	issued := func(shared Shared, change func(*Cert)) ([]byte, []byte) {
		c := want
		if change != nil {
			change(&c)
		}
		return mustIssue(t, shared, c)
	}
	_, otherKey := issued(s, nil)
	days := func(n int) time.Time { return epoch.AddDate(0, 0, n) }
	for _, c := range []struct {
		name   string
		shared Shared
		change func(*Cert)
		key    []byte
		now    time.Time
		say    string
	}{
		{"fresh", s, nil, nil, epoch, ""},
		{"not yet due", s, nil, nil, days(334), ""},
		{"due", s, nil, nil, days(353), "expires in 12 days"},
		{"due by 30%", s, func(c *Cert) { c.Days = 10 }, nil, days(8), "expires in 2 days"},
		{"short, not due", s, func(c *Cert) { c.Days = 10 }, nil, days(6), ""},
		{"expired", s, nil, nil, days(366), "expired 24 hours ago"},
		{"clock behind", s, nil, nil, epoch.Add(-65 * time.Minute), "is not valid for another 60 minutes: compare the clocks"},
		{"within skew", s, nil, nil, epoch.Add(-4 * time.Minute), ""},
		{"missing", s, func(c *Cert) { c.IPs = c.IPs[:1] }, nil, days(353), "lacks SAN 10.0.0.13; expires in 12 days"},
		{"unwanted", s, func(c *Cert) { c.DNS = []string{"cp1", "gone"} }, nil, epoch, "has unwanted SAN gone"},
		{"name", s, func(c *Cert) { c.CommonName = "k" }, nil, epoch, `has common name "k", not "kube-apiserver"`},
		{"group", s, func(c *Cert) { c.Organizations = []string{"system:masters"} }, nil, epoch, "has unwanted organization system:masters"},
		{"usage", s, func(c *Cert) { c.Server, c.Client = false, true }, nil, epoch, "lacks usage server; has unwanted usage client"},
		{"algorithm", s, func(c *Cert) { c.Algorithm = RSA2048 }, nil, epoch, "has a key of RSA-2048, not ECDSA-P256"},
		{"foreign", other, nil, nil, epoch, "is not signed by this cluster's kubernetes CA"},
		{"other key", s, nil, otherKey, epoch, "does not belong to its key"},
		{"key is rubbish", s, nil, []byte("rubbish"), epoch, "does not belong to its key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			certPEM, keyPEM := issued(c.shared, c.change)
			if c.key != nil {
				keyPEM = c.key
			}
			have, err := Inspect(certPEM, keyPEM, s.CA.Cert)
			if err != nil {
				t.Fatal(err)
			}
			if got := Explain(have, want, c.now); got != c.say {
				t.Errorf("says %q, not %q", got, c.say)
			}
			if Current(have, want, c.now) != (c.say == "") {
				t.Errorf("Current is %v", !(c.say == ""))
			}
		})
	}
}

func TestInspectWithoutKeyAndInABundle(t *testing.T) {
	s, other := newShared(t, Options{}), newShared(t, Options{})
	c := Cert{Name: "x", Issuer: KubernetesCA, CommonName: "x", Client: true}
	certPEM, _ := mustIssue(t, s, c)
	have, err := Inspect(certPEM, nil, append(append([]byte{}, other.CA.Cert...), s.CA.Cert...))
	if err != nil {
		t.Fatal(err)
	}
	if have.KeyChecked || !have.IssuedByUs || !Current(have, c, epoch) {
		t.Errorf("%+v", have)
	}
	for name, bad := range map[string][2][]byte{
		"certificate": {[]byte("rubbish"), s.CA.Cert},
		"CA":          {certPEM, nil},
		"DER":         {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), s.CA.Cert},
	} {
		if _, err := Inspect(bad[0], nil, bad[1]); err == nil {
			t.Errorf("a bad %s was read", name)
		}
	}
}
