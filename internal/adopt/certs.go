package adopt

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Certificate is one that was found.
type Certificate struct {
	Host     string    `json:"host"`
	Path     string    `json:"path"`
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	SANs     []string  `json:"sans"`
	Key      string    `json:"key"`
	NotAfter time.Time `json:"notAfter"`
	Days     int       `json:"daysLeft"`
	CA       bool      `json:"ca"`
	HasKey   bool      `json:"hasKey"` // its key lies on the host; always true of kubeconfigs
}

func parseCert(text []byte) (*x509.Certificate, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errors.New("no certificate")
		}
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
		text = rest
	}
}

func sansOf(c *x509.Certificate) []string {
	out := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	for _, u := range c.URIs {
		out = append(out, u.String())
	}
	return append(out, c.EmailAddresses...)
}

// keyKind is a key's kind as the cluster file names it.
func keyKind(c *x509.Certificate) string {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA-" + strings.ReplaceAll(k.Curve.Params().Name, "-", "")
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return c.PublicKeyAlgorithm.String()
}

// certificates are those of a machine, by path.
func (m Machine) certificates(now time.Time) (out []Certificate) {
	for at, text := range m.Seen.Certs {
		c, err := parseCert(text)
		if err != nil {
			continue // a kubeconfig that names files, or no certificate
		}
		conf := strings.HasSuffix(at, ".conf")
		key := strings.TrimSuffix(strings.TrimSuffix(at, ".crt"), ".pem")
		out = append(out, Certificate{Host: m.Name, Path: at, Subject: c.Subject.String(), Issuer: c.Issuer.String(), SANs: sansOf(c),
			Key: keyKind(c), NotAfter: c.NotAfter.UTC(), Days: int(c.NotAfter.Sub(now).Hours() / 24), CA: c.IsCA,
			HasKey: conf || slices.Contains(m.Seen.Keys, key+".key") || slices.Contains(m.Seen.Keys, key+"-key.pem") ||
				slices.Contains(m.Seen.Keys, at)})
	}
	slices.SortFunc(out, func(a, b Certificate) int { return cmp.Compare(a.Path, b.Path) })
	return out
}
