package pki

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeconfig"
)

// Cert is what a leaf certificate must be. It is a value: comparing it with
// what lies on a host is comparing two Specs.
type Cert struct {
	Name          string // one of the names of this package, as in unit.Service.Certs
	Path, KeyPath string // where they lie on the host
	Issuer        CA
	CommonName    string
	Organizations []string
	DNS           []string
	IPs           []string
	Client        bool   // may be shown by a client
	Server        bool   // may be shown by a server
	Algorithm     string // default ECDSA-P256
	Days          int    // validity; default 365; no part of Spec
	// Conf is the server to which the kubeconfig leads that holds certificate and
	// key; "": they are files of their own.
	Conf string
}

// Spec is one canonical line of all that the certificate must say: subject,
// names sorted, usages, key algorithm. Inspect gives the same line of a
// certificate that exists.
func (c Cert) Spec() string {
	if c.Conf != "" && c.Name != AdminConf {
		return c.profile().String() + " server=" + c.Conf
	}
	return c.profile().String()
}

// Files are an issued certificate and its key as the files of a host of a cluster.
func (c Cert) Files(cluster string, s Shared, certPEM, keyPEM []byte) ([]host.File, error) {
	if c.Conf == "" {
		return []host.File{secret(c.KeyPath, keyPEM), public(c.Path, certPEM)}, nil
	}
	text, err := kubeconfig.Kubeconfig(cluster, c.CommonName, c.Conf, s.CA.Cert, certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", c.Path, err)
	}
	return []host.File{secret(c.Path, text)}, nil
}

// Issue makes a certificate and its key, both PEM. It never outlives its CA.
func Issue(s Shared, c Cert, now time.Time) (certPEM, keyPEM []byte, err error) {
	days := c.Days
	if days == 0 {
		days = DefaultDays
	}
	return issue(s, c, now, now.AddDate(0, 0, days))
}

func issue(s Shared, c Cert, now, notAfter time.Time) (certPEM, keyPEM []byte, err error) {
	fail := func(err error) ([]byte, []byte, error) {
		return nil, nil, fmt.Errorf("issue certificate %s: %w", c.Name, err)
	}
	authority, err := s.Authority(c.Issuer)
	if err != nil {
		return fail(err)
	}
	cas, err := parseCerts(authority.Cert)
	if err != nil {
		return fail(fmt.Errorf("%s CA: %w", c.Issuer, err))
	}
	caKey, err := parseKey(authority.Key)
	if err != nil {
		return fail(fmt.Errorf("key of %s CA: %w", c.Issuer, err))
	}
	if now.After(cas[0].NotAfter) {
		return fail(fmt.Errorf("the %s CA expired at %s: renew the CA first", c.Issuer, cas[0].NotAfter.Format(time.RFC3339)))
	}
	if notAfter.After(cas[0].NotAfter) {
		notAfter = cas[0].NotAfter
	}
	if !notAfter.After(now) {
		return fail(fmt.Errorf("it would expire at once (%s): give it at least a day (spec.pki.certificateDays)", notAfter.Format(time.RFC3339)))
	}
	p := c.profile()
	ips, err := parseIPs(p.ips)
	if err != nil {
		return fail(err)
	}
	key, err := newKey(c.Algorithm)
	if err != nil {
		return fail(err)
	}
	usage := x509.KeyUsageDigitalSignature
	if strings.HasPrefix(p.algorithm, "RSA") {
		usage |= x509.KeyUsageKeyEncipherment // TLS 1.2 without forward secrecy, for old clients
	}
	tmpl := &x509.Certificate{
		Subject:               pkix.Name{CommonName: p.commonName, Organization: p.organizations},
		NotBefore:             now.Add(-backdate),
		NotAfter:              notAfter,
		KeyUsage:              usage,
		ExtKeyUsage:           p.usages,
		DNSNames:              p.dns,
		IPAddresses:           ips,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, cas[0], key.Public(), caKey)
	if err != nil {
		return fail(err)
	}
	if keyPEM, err = encodeKey(key); err != nil {
		return fail(err)
	}
	return encodePEM("CERTIFICATE", der), keyPEM, nil
}

// profile is what a certificate says, in one canonical form for wanted and
// found ones: names lower-case, lists sorted and without doubles.
type profile struct {
	commonName    string
	organizations []string
	dns, ips      []string
	other         []string // e-mail and URI names, which no Cert asks for
	usages        []x509.ExtKeyUsage
	algorithm     string
}

func (c Cert) profile() profile {
	p := profile{
		commonName:    c.CommonName,
		organizations: sorted(c.Organizations),
		dns:           sorted(lower(c.DNS)),
		algorithm:     c.Algorithm,
	}
	if p.algorithm == "" {
		p.algorithm = DefaultAlgorithm
	}
	for _, ip := range c.IPs {
		if parsed := net.ParseIP(ip); parsed != nil {
			ip = parsed.String()
		}
		p.ips = append(p.ips, ip)
	}
	p.ips = sorted(p.ips)
	if c.Client {
		p.usages = append(p.usages, x509.ExtKeyUsageClientAuth)
	}
	if c.Server {
		p.usages = append(p.usages, x509.ExtKeyUsageServerAuth)
	}
	slices.Sort(p.usages)
	return p
}

// String is the canonical line. Every value is quoted, so that no two
// profiles share one.
func (p profile) String() string {
	usages := make([]string, 0, len(p.usages))
	for _, u := range p.usages {
		usages = append(usages, usageName(u))
	}
	line := fmt.Sprintf("CN=%q O=%q DNS=%q IP=%q usage=%q key=%s", p.commonName, p.organizations, p.dns, p.ips, usages, p.algorithm)
	if len(p.other) > 0 {
		line += fmt.Sprintf(" other=%q", p.other)
	}
	return line
}

func usageName(u x509.ExtKeyUsage) string {
	switch u {
	case x509.ExtKeyUsageClientAuth:
		return "client"
	case x509.ExtKeyUsageServerAuth:
		return "server"
	}
	return fmt.Sprintf("usage-%d", u)
}

func parseIPs(in []string) ([]net.IP, error) {
	var out []net.IP
	for _, s := range in {
		ip := net.ParseIP(s)
		if ip == nil {
			return nil, fmt.Errorf("%q is no IP address: names belong among the DNS names", s)
		}
		out = append(out, ip)
	}
	return out, nil
}

func sorted(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

func lower(in []string) []string {
	out := make([]string, 0, len(in))
	for _, s := range in {
		out = append(out, strings.ToLower(s))
	}
	return out
}
