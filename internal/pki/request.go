package pki

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// UserRequest is a certificate signing request for a user of the Kubernetes API,
// and its key, both PEM.
func UserRequest(user string, groups []string) (requestPEM, keyPEM []byte, err error) {
	key, err := newKey(DefaultAlgorithm)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: user, Organization: sorted(groups)}}, key)
	if err != nil {
		return nil, nil, fmt.Errorf("request a certificate for %s: %w", user, err)
	}
	if keyPEM, err = encodeKey(key); err != nil {
		return nil, nil, err
	}
	return encodePEM("CERTIFICATE REQUEST", der), keyPEM, nil
}

// DiscoveryHash is that of a CA's public key, by which `kubeadm join` knows the
// cluster: SHA-256 of its SubjectPublicKeyInfo.
// https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-join/#token-based-discovery-with-ca-pinning
func DiscoveryHash(caPEM []byte) (string, error) {
	certs, err := parseCerts(caPEM)
	if err == nil && len(certs) == 0 {
		err = errors.New("no certificate")
	}
	if err != nil {
		return "", fmt.Errorf("CA: %w", err)
	}
	sum := sha256.Sum256(certs[0].RawSubjectPublicKeyInfo)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// Expiry is when a certificate (PEM) ends.
func Expiry(certPEM []byte) (time.Time, error) {
	certs, err := parseCerts(certPEM)
	if err != nil || len(certs) == 0 {
		return time.Time{}, fmt.Errorf("read certificate: %w", errors.Join(err, errors.New("there is none")))
	}
	return certs[0].NotAfter, nil
}
