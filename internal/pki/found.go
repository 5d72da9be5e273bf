package pki

import (
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
)

// AsFound is the certificate as it was found: the same subject, names, usages and
// key algorithm, at the same place. What this package cannot make again is an error.
func AsFound(c Cert, found []byte) (Cert, error) {
	certs, err := parseCerts(found)
	if err != nil {
		return Cert{}, fmt.Errorf("read certificate %s: %w", c.Name, err)
	}
	p := profileOf(certs[0])
	if len(p.other) > 0 {
		return Cert{}, fmt.Errorf("certificate %s has names that are neither DNS names nor addresses: %s", c.Name, strings.Join(p.other, ", "))
	}
	c.CommonName, c.Organizations, c.DNS, c.IPs, c.Algorithm = p.commonName, p.organizations, p.dns, p.ips, p.algorithm
	c.Client, c.Server = slices.Contains(p.usages, x509.ExtKeyUsageClientAuth), slices.Contains(p.usages, x509.ExtKeyUsageServerAuth)
	if _, after, is := strings.Cut(string(found), serverLine); is && c.Conf != "" {
		c.Conf, _, _ = strings.Cut(after, "\n")
	}
	return c, nil
}

// serverLine begins the line, beside the certificate of a kubeconfig, that names
// the server.
const serverLine = "# server "

// WithSANs is the certificate with more names and addresses; "" is none.
func (c Cert) WithSANs(sans ...string) Cert {
	c.DNS, c.IPs = slices.Clone(c.DNS), slices.Clone(c.IPs)
	for _, san := range sans {
		switch {
		case san == "":
		case net.ParseIP(san) != nil:
			c.IPs = append(c.IPs, san)
		default:
			c.DNS = append(c.DNS, san)
		}
	}
	return c
}
