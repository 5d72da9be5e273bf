package pki

import (
	"crypto/x509"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Found is a certificate as it lies on a host, judged.
type Found struct {
	Spec       string // the same line as Cert.Spec, from the certificate itself
	IssuedByUs bool   // the given CA's signature is on it
	NotBefore  time.Time
	NotAfter   time.Time
	// CANotAfter is when the CA that signed it ends; zero when it is not ours.
	CANotAfter time.Time
	// KeyChecked says whether a key was given, KeyMatches whether it belongs
	// to the certificate.
	KeyChecked, KeyMatches bool
	// Fingerprint is the SHA-256 of the certificate, in hex.
	Fingerprint string
	// Conf is the server that its kubeconfig names: a line "# server URL" beside
	// the certificate says so.
	Conf string

	profile profile
}

// Inspect reads a certificate. keyPEM may be nil when the key was not read
// (keys stay on their host); caPEM holds the CA, or a bundle of several.
func Inspect(certPEM, keyPEM, caPEM []byte) (Found, error) {
	certs, err := parseCerts(certPEM)
	if err != nil {
		return Found{}, fmt.Errorf("read certificate: %w", err)
	}
	cas, err := parseCerts(caPEM)
	if err != nil {
		return Found{}, fmt.Errorf("read CA certificate: %w", err)
	}
	cert := certs[0]
	f := Found{
		NotBefore:   cert.NotBefore,
		NotAfter:    cert.NotAfter,
		Fingerprint: digest(cert.Raw),
		profile:     profileOf(cert),
	}
	f.Spec = f.profile.String()
	if _, after, is := strings.Cut(string(certPEM), serverLine); is {
		f.Conf, _, _ = strings.Cut(after, "\n")
	}
	for _, ca := range cas {
		if cert.CheckSignatureFrom(ca) == nil {
			f.IssuedByUs = true
			if ca.NotAfter.After(f.CANotAfter) {
				f.CANotAfter = ca.NotAfter
			}
		}
	}
	if keyPEM != nil {
		f.KeyChecked = true
		if key, err := parseKey(keyPEM); err == nil {
			f.KeyMatches = samePublicKey(key.Public(), cert.PublicKey)
		}
	}
	return f, nil
}

// profileOf reads from a certificate what Cert.profile says of a wanted one.
func profileOf(c *x509.Certificate) profile {
	p := profile{
		commonName:    c.Subject.CommonName,
		organizations: sorted(c.Subject.Organization),
		dns:           sorted(lower(c.DNSNames)),
		usages:        slices.Clone(c.ExtKeyUsage),
		algorithm:     algorithmOf(c.PublicKey),
	}
	for _, ip := range c.IPAddresses {
		p.ips = append(p.ips, ip.String())
	}
	p.ips = sorted(p.ips)
	for _, u := range c.URIs {
		p.other = append(p.other, u.String())
	}
	p.other = sorted(append(p.other, c.EmailAddresses...))
	slices.Sort(p.usages)
	return p
}

// Due says whether it is time to renew: less than 30% of the validity or 30
// days remain, whichever is smaller. A certificate that ends with its CA is
// not due before that end, for a new one would end then too.
func (f Found) Due(now time.Time) bool {
	if now.After(f.NotAfter) {
		return true
	}
	if f.IssuedByUs && !f.NotAfter.Before(f.CANotAfter) {
		return false
	}
	margin := min(f.NotAfter.Sub(f.NotBefore)*3/10, 30*24*time.Hour)
	return f.NotAfter.Sub(now) < margin
}

// Current says whether what lies there is what is wanted, now and for a while.
func Current(have Found, want Cert, now time.Time) bool {
	return len(Problems(have, want, now)) == 0
}

// Explain is Problems as one sentence; empty when nothing is wrong.
func Explain(have Found, want Cert, now time.Time) string {
	return strings.Join(Problems(have, want, now), "; ")
}

// Problems are the reasons, for people, why a certificate must be made anew.
func Problems(have Found, want Cert, now time.Time) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if !have.IssuedByUs {
		say("is not signed by this cluster's %s CA", want.Issuer)
	}
	if have.KeyChecked && !have.KeyMatches {
		say("does not belong to its key")
	}
	h, w := have.profile, want.profile()
	if have.Spec != w.String() {
		before := len(out)
		lists := []struct {
			what       string
			have, want []string
		}{
			{"SAN", append(slices.Clone(h.dns), h.ips...), append(slices.Clone(w.dns), w.ips...)},
			{"SAN", h.other, w.other},
			{"organization", h.organizations, w.organizations},
			{"usage", usageNames(h.usages), usageNames(w.usages)},
		}
		if h.commonName != w.commonName {
			say("has common name %q, not %q", h.commonName, w.commonName)
		}
		for _, l := range lists {
			if missing := without(l.want, l.have); len(missing) > 0 {
				say("lacks %s %s", l.what, strings.Join(missing, ", "))
			}
			if extra := without(l.have, l.want); len(extra) > 0 {
				say("has unwanted %s %s", l.what, strings.Join(extra, ", "))
			}
		}
		if h.algorithm != w.algorithm {
			say("has a key of %s, not %s", h.algorithm, w.algorithm)
		}
		if len(out) == before { // the same words in other places
			say("is %s, not %s", have.Spec, w)
		}
	}
	if have.Conf != want.Conf && want.Name != AdminConf { // where that leads is no matter of its certificate
		say("leads to %s, not to %s", have.Conf, want.Conf)
	}
	switch {
	case now.After(have.NotAfter):
		say("expired %s ago", span(now.Sub(have.NotAfter)))
	case have.Due(now):
		say("expires in %s", span(have.NotAfter.Sub(now)))
	}
	if now.Before(have.NotBefore) {
		say("is not valid for another %s: compare the clocks", span(have.NotBefore.Sub(now)))
	}
	return out
}

func usageNames(in []x509.ExtKeyUsage) []string {
	var out []string
	for _, u := range in {
		out = append(out, usageName(u))
	}
	return out
}

func without(a, b []string) []string {
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// span tells a duration in the unit a person would use.
func span(d time.Duration) string {
	n, unit := math.Round(d.Hours()/24), "day"
	if d < 48*time.Hour {
		n, unit = math.Round(d.Hours()), "hour"
	}
	if d < 2*time.Hour {
		n, unit = math.Round(d.Minutes()), "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%.0f %s", n, unit)
}
