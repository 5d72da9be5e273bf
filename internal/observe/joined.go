package observe

import (
	"crypto/x509"
	"encoding/pem"
	"time"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
)

// kubelet judges the kubelet's client certificate. It renews that by itself, but
// not once it has expired.
func (f *Facts) kubelet(text []byte, now time.Time) {
	block, _ := pem.Decode(text)
	if block == nil {
		return
	}
	if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
		f.Kubelet, f.KubeletCert = !now.After(cert.NotAfter), cert
	}
}

// Joined says whether a host's kubelet has a client certificate that the API
// servers take.
func (o *Observation) Joined(id model.HostID) bool {
	f := o.Facts[id]
	return f.Kubelet && o.refused(f, hostOf(o.Goal, id)) == ""
}

// refused is why the API servers take a kubelet for nobody, though it has a client
// certificate; "": they do not, or that cannot be told.
func (o *Observation) refused(f Facts, want *goal.Host) string {
	const its = "its client certificate "
	switch cert := f.KubeletCert; {
	case cert == nil:
	case !f.Kubelet:
		return its + "expired on " + cert.NotAfter.UTC().Format(time.DateOnly)
	case o.Shared == nil || want.Node.Name == "" || o.Goal.Want.Adopted: // who signs in others' clusters is not known
	case !signed(cert, o.Shared.CA.Cert):
		return its + "is not of this cluster's CA"
	case cert.Subject.CommonName != "system:node:"+want.Node.Name:
		return its + "is not of this node's name"
	}
	return ""
}

// signed says that a certificate is by one of a file's authorities.
func signed(cert *x509.Certificate, authorities []byte) bool {
	for block, rest := pem.Decode(authorities); block != nil; block, rest = pem.Decode(rest) {
		if ca, err := x509.ParseCertificate(block.Bytes); err == nil && cert.CheckSignatureFrom(ca) == nil {
			return true
		}
	}
	return false
}
