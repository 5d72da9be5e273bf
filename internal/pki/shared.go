// Package pki makes and judges the keys and certificates of a cluster: the
// shared ones (three certificate authorities, the service-account key, the
// encryption key), and the leaf certificates of each host as values that can
// be compared with what lies there.
//
// It reaches no host and touches no disk: keys are given and returned as
// bytes. It knows nothing of steps or plans, does not decide when to make a
// CA, and does not rotate one. Of kubelets' client certificates it makes
// the first only: kubelets renew theirs by themselves.
package pki

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"quorate.dev/quorate/internal/layout"
)

// CA names one of the cluster's three certificate authorities. They are three
// so that a client certificate of one (etcd's, say) opens no door of another:
// https://kubernetes.io/docs/setup/best-practices/certificates/
type CA string

// The certificate authorities.
const (
	KubernetesCA CA = "kubernetes"
	EtcdCA       CA = "etcd"
	FrontProxyCA CA = "front-proxy"
)

// Path is where a host keeps the authority's certificate.
func (ca CA) Path(at layout.PKI) string {
	switch ca {
	case EtcdCA:
		return at.EtcdCA.Cert
	case FrontProxyCA:
		return at.FrontProxyCA.Cert
	}
	return at.CA.Cert
}

// Key algorithms, as the cluster file names them.
const (
	ECDSAP256 = "ECDSA-P256"
	RSA2048   = "RSA-2048"
	RSA3072   = "RSA-3072"
	RSA4096   = "RSA-4096"
)

// Defaults of Options and Cert.
const (
	DefaultAlgorithm = ECDSAP256
	DefaultCADays    = 3650
	DefaultDays      = 365
)

// backdate is how far NotBefore lies in the past, for hosts whose clock is
// behind the operator's.
const backdate = 5 * time.Minute

// Authority is a certificate authority: its certificate and key, both PEM.
type Authority struct{ Cert, Key []byte }

// KeyPair is a private key and its public half, both PEM.
type KeyPair struct{ Private, Public []byte }

// Shared are the keys that every control plane holds alike. They are made
// once in a cluster's life.
type Shared struct {
	CA, EtcdCA, FrontProxyCA Authority
	ServiceAccount           KeyPair
	Encryption               []byte // an EncryptionConfiguration as YAML, with its key
}

// Options say how shared keys are made. The zero value means the defaults.
type Options struct {
	KeyAlgorithm       string // default ECDSA-P256
	CADays             int    // default 3650
	EncryptionProvider string // secretbox (default) | aescbc
	Now                func() time.Time
}

// NewShared makes the keys of a new cluster. Call it only when every control
// plane has been seen and none has any: a second set splits the cluster.
func NewShared(o Options) (Shared, error) {
	if o.KeyAlgorithm == "" {
		o.KeyAlgorithm = DefaultAlgorithm
	}
	if o.CADays == 0 {
		o.CADays = DefaultCADays
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	var s Shared
	var err error
	for _, ca := range []struct {
		to *Authority
		cn string
	}{
		{&s.CA, "kubernetes-ca"},
		{&s.EtcdCA, "etcd-ca"},
		{&s.FrontProxyCA, "kubernetes-front-proxy-ca"},
	} {
		if *ca.to, err = newAuthority(ca.cn, o.KeyAlgorithm, o.CADays, o.Now()); err != nil {
			return Shared{}, err
		}
	}
	if s.ServiceAccount, err = newKeyPair(o.KeyAlgorithm); err != nil {
		return Shared{}, fmt.Errorf("make service-account key: %w", err)
	}
	if s.Encryption, err = newEncryption(o.EncryptionProvider); err != nil {
		return Shared{}, err
	}
	return s, nil
}

// Authority returns one of the three.
func (s Shared) Authority(ca CA) (Authority, error) {
	switch ca {
	case KubernetesCA:
		return s.CA, nil
	case EtcdCA:
		return s.EtcdCA, nil
	case FrontProxyCA:
		return s.FrontProxyCA, nil
	}
	return Authority{}, fmt.Errorf("no certificate authority %q: use %s, %s or %s", ca, KubernetesCA, EtcdCA, FrontProxyCA)
}

// Identity is a digest by which hosts are told to belong to one cluster: over
// the CA certificates, the service-account public key and a hash of the
// encryption configuration (whose key has 256 random bits, so that the hash
// tells nothing). How a PEM file is laid out takes no part in it.
func (s Shared) Identity() string {
	var b strings.Builder
	for _, part := range [][]byte{s.CA.Cert, s.EtcdCA.Cert, s.FrontProxyCA.Cert, s.ServiceAccount.Public} {
		fmt.Fprintln(&b, pemDigest(part))
	}
	fmt.Fprintln(&b, digest(s.Encryption))
	return digest([]byte(b.String()))
}

// String tells only the identity, so that no log shows a key by accident.
func (s Shared) String() string { return "pki.Shared(" + s.Identity()[:16] + ")" }

// GoString is String, for %#v.
func (s Shared) GoString() string { return s.String() }

// String hides the key.
func (a Authority) String() string { return "pki.Authority(" + pemDigest(a.Cert)[:16] + ")" }

// GoString is String, for %#v.
func (a Authority) GoString() string { return a.String() }

// String hides the key.
func (k KeyPair) String() string { return "pki.KeyPair(" + pemDigest(k.Public)[:16] + ")" }

// GoString is String, for %#v.
func (k KeyPair) GoString() string { return k.String() }

func digest(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
