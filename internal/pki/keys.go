package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// newKey makes a private key of a named algorithm.
func newKey(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "", ECDSAP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, fmt.Errorf("no key algorithm %q: use %s, %s, %s or %s", algorithm, ECDSAP256, RSA2048, RSA3072, RSA4096)
}

// algorithmOf names a public key's algorithm as the cluster file does.
func algorithmOf(pub any) string {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA-" + map[int]string{224: "P224", 256: "P256", 384: "P384", 521: "P521"}[k.Curve.Params().BitSize]
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", k.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return fmt.Sprintf("%T", pub)
}

// newKeyPair makes a key and writes both halves as PEM.
func newKeyPair(algorithm string) (KeyPair, error) {
	key, err := newKey(algorithm)
	if err != nil {
		return KeyPair{}, err
	}
	private, err := encodeKey(key)
	if err != nil {
		return KeyPair{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return KeyPair{}, fmt.Errorf("encode public key: %w", err)
	}
	return KeyPair{Private: private, Public: encodePEM("PUBLIC KEY", public)}, nil
}

// newAuthority makes a self-signed certificate authority.
func newAuthority(cn, algorithm string, days int, now time.Time) (Authority, error) {
	key, err := newKey(algorithm)
	if err != nil {
		return Authority{}, fmt.Errorf("make key of %s: %w", cn, err)
	}
	if days <= 0 {
		return Authority{}, fmt.Errorf("make %s: a validity of %d days: give at least 1 (spec.pki.caDays)", cn, days)
	}
	tmpl := &x509.Certificate{
		Subject:               pkix.Name{CommonName: cn},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.AddDate(0, 0, days),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return Authority{}, fmt.Errorf("make %s: %w", cn, err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return Authority{}, err
	}
	return Authority{Cert: encodePEM("CERTIFICATE", der), Key: keyPEM}, nil
}

// encodeKey writes a private key as PKCS #8, which Go's tls and Kubernetes'
// keyutil.ParsePrivateKeyPEM both read, for every algorithm.
func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode private key: %w", err)
	}
	return encodePEM("PRIVATE KEY", der), nil
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// parseKey reads the first private key of a PEM file, in any of the three
// encodings kubeadm, cfssl and openssl write.
func parseKey(b []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		default: // EC PARAMETERS, or a certificate before the key
			continue
		}
		if err != nil {
			return nil, err
		}
		if s, ok := key.(crypto.Signer); ok {
			return s, nil
		}
		return nil, fmt.Errorf("a %T cannot sign", key)
	}
	return nil, errors.New("no PEM private key in it")
}

// parsePublicKey reads a PEM public key.
func parsePublicKey(b []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, errors.New("no PEM public key in it")
	}
	return x509.ParsePKIXPublicKey(block.Bytes)
}

// parseCerts reads every certificate of a PEM file; none is an error.
func parseCerts(b []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("no PEM certificate in it")
	}
	return out, nil
}

// samePublicKey says whether two public keys are one.
func samePublicKey(a, b any) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// pemDigest is a digest over the contents of a PEM file's blocks, whatever
// stands around them; of anything else it is the digest of the bytes.
func pemDigest(b []byte) string {
	var all bytes.Buffer
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		all.Write(block.Bytes)
	}
	if all.Len() == 0 {
		return digest(b)
	}
	return digest(all.Bytes())
}
