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
		if f.kubelet(at.text, at.now); f.Kubelet != at.is || !f.KubeletEnd.Equal(at.end) {
			t.Errorf("%s: %t, %s", name, f.Kubelet, f.KubeletEnd)
		}
	}
}
