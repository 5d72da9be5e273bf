package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
)

// Sign signs a message with an authority's key. The message must begin with what
// it is for, in words, so that it can be no certificate.
func (a Authority) Sign(message []byte) ([]byte, error) {
	key, err := parseKey(a.Key)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if _, plain := key.(ed25519.PrivateKey); plain {
		return key.Sign(rand.Reader, message, crypto.Hash(0))
	}
	sum := sha256.Sum256(message)
	return key.Sign(rand.Reader, sum[:], crypto.SHA256)
}

// HasSigned says whether the authority of a certificate, in PEM, has signed a
// message.
func HasSigned(caPEM, message, signature []byte) bool {
	certs, err := parseCerts(caPEM)
	if err != nil || len(certs) == 0 {
		return false
	}
	algorithm := x509.UnknownSignatureAlgorithm
	switch certs[0].PublicKey.(type) {
	case *ecdsa.PublicKey:
		algorithm = x509.ECDSAWithSHA256
	case *rsa.PublicKey:
		algorithm = x509.SHA256WithRSA
	case ed25519.PublicKey:
		algorithm = x509.PureEd25519
	}
	return certs[0].CheckSignature(algorithm, message, signature) == nil
}
