package observe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

// The kubelet's own certificate counts while it is valid; its end is told after it.
func TestKubeletCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: end}, &x509.Certificate{},
		&key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, at := range map[string]struct {
		text []byte
		now  time.Time
		is   bool
		end  time.Time
	}{
		"valid": {text, end.Add(-time.Hour), true, end}, "over": {text, end.Add(time.Hour), false, end},
		"none": {nil, end, false, time.Time{}}, "broken": {text[:60], end, false, time.Time{}},
	} {
		var f Facts
		f.kubelet(at.text, at.now)
		if c := f.KubeletCert; f.Kubelet != at.is || (c == nil) != at.end.IsZero() || c != nil && !c.NotAfter.Equal(at.end) {
			t.Errorf("%s: %t, %v", name, f.Kubelet, c)
		}
	}
}

// A kubelet whose certificate the API servers do not take has none: it gets a new one.
func TestKubeletRefused(t *testing.T) {
	_, g := withWorker(t)
	shared, files := newKeys(t)
	foreign, _ := newKeys(t)
	for name, at := range map[string]struct {
		by   pki.Shared
		of   string
		keys map[string][]byte
		why  string
	}{
		"its own":                   {shared, "system:node:a-worker", files, ""},
		"of another cluster":        {foreign, "system:node:a-worker", files, "its client certificate is not of this cluster's CA"},
		"another node's":            {shared, "system:node:cp2", files, "its client certificate is not of this node's name"},
		"while no keys were seen":   {foreign, "system:node:a-worker", nil, ""},
		"of another, as a person's": {foreign, "jane", files, "its client certificate is not of this cluster's CA"},
	} {
		text, _, err := pki.UserClient(at.by, at.of, []string{"system:nodes"}, time.Hour, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var f Facts
		f.kubelet(text, time.Now())
		f.Services = map[model.Component]workload.State{model.Kubelet: {Up: true, Read: "its configuration"}}
		ob := &Observation{Goal: g, Facts: map[model.HostID]Facts{"a-worker": f, "cp1": {Files: at.keys}}}
		runs := assemble(g, ob, time.Now()).Hosts["a-worker"].Components[model.Kubelet].Running
		if runs.Why() != at.why || runs.Is("") != (at.why != "") || ob.Joined("a-worker") != (at.why == "") {
			t.Errorf("%s: the kubelet runs: %v (%s); joined: %t", name, runs, runs.Why(), ob.Joined("a-worker"))
		}
	}
}
