package pki

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"
)

// MastersGroup may do everything, whatever RBAC says.
const MastersGroup = "system:masters"

// AdminClient makes a certificate of system:masters for the program itself.
// That group is above RBAC and cannot be revoked, and it works before any
// binding exists: so the certificate lives for a short time and in memory
// only. People get UserClient with a group that RBAC binds.
func AdminClient(s Shared, user string, validity time.Duration, now time.Time) (certPEM, keyPEM []byte, err error) {
	return UserClient(s, user, []string{MastersGroup}, validity, now)
}

// UserClient makes a client certificate for a user of the Kubernetes API.
func UserClient(s Shared, user string, groups []string, validity time.Duration, now time.Time) (certPEM, keyPEM []byte, err error) {
	c := Cert{Name: "client of " + user, Issuer: KubernetesCA, CommonName: user, Organizations: groups, Client: true}
	return issue(s, c, now, now.Add(validity))
}

// EtcdTLS is the configuration of a client of this cluster's etcd, with a
// certificate made for the occasion, in memory only.
func EtcdTLS(s Shared, now time.Time) (*tls.Config, error) {
	c := Cert{Name: "client of etcd", Issuer: EtcdCA, CommonName: "quorate", Client: true}
	certPEM, keyPEM, err := issue(s, c, now, now.Add(24*time.Hour))
	if err != nil {
		return nil, err
	}
	return clientTLS(s.EtcdCA, certPEM, keyPEM)
}

func clientTLS(ca Authority, certPEM, keyPEM []byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("pair client certificate and key: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.Cert) {
		return nil, fmt.Errorf("trust CA: no PEM certificate in it")
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
