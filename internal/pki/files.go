package pki

import (
	"errors"
	"fmt"
	"io/fs"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/topology"
)

// SharedPaths are the files of Shared, in the order of Files.
func SharedPaths(at layout.PKI) []string {
	var out []string
	for _, f := range (Shared{}).Files(at) {
		out = append(out, f.Path)
	}
	return out
}

// Files are the shared keys as the files of a control plane.
func (s Shared) Files(at layout.PKI) []host.File {
	files := []host.File{
		public(at.CA.Cert, s.CA.Cert),
		secret(at.CA.Key, s.CA.Key),
		public(at.EtcdCA.Cert, s.EtcdCA.Cert),
		secret(at.EtcdCA.Key, s.EtcdCA.Key),
		public(at.FrontProxyCA.Cert, s.FrontProxyCA.Cert),
		secret(at.FrontProxyCA.Key, s.FrontProxyCA.Key),
		secret(at.SAKey, s.ServiceAccount.Private),
		public(at.SAPub, s.ServiceAccount.Public),
	}
	if at.Unencrypted {
		return files
	}
	return append(files, secret(at.Encryption, s.Encryption))
}

// PublicFiles are the shared files of a host that is no control plane: a
// worker or a load balancer trusts the cluster's CA, a host of external etcd trusts
// etcd's. No key is among them.
func (s Shared) PublicFiles(n topology.Node, at layout.PKI) []host.File {
	var out []host.File
	if n.Worker || n.LoadBalancer {
		out = append(out, public(at.CA.Cert, s.CA.Cert))
	}
	if n.Etcd {
		out = append(out, public(at.EtcdCA.Cert, s.EtcdCA.Cert))
	}
	return out
}

// FilesFor are the shared files a host must have: all on a control plane, the
// public ones it needs elsewhere.
func (s Shared) FilesFor(n topology.Node, at layout.PKI) []host.File {
	if n.ControlPlane {
		return s.Files(at)
	}
	return s.PublicFiles(n, at)
}

// ParseShared reads the shared keys from the files of one control plane, by
// path. A missing file is an error that is fs.ErrNotExist; a file that cannot
// be read, or a key that does not belong to its certificate, is another. Each
// names the path.
func ParseShared(files map[string][]byte, at layout.PKI) (Shared, error) {
	for _, p := range SharedPaths(at) {
		if len(files[p]) == 0 {
			return Shared{}, fmt.Errorf("read shared keys: %s: %w: copy it from another control plane", p, fs.ErrNotExist)
		}
	}
	s := Shared{
		CA:             Authority{Cert: files[at.CA.Cert], Key: files[at.CA.Key]},
		EtcdCA:         Authority{Cert: files[at.EtcdCA.Cert], Key: files[at.EtcdCA.Key]},
		FrontProxyCA:   Authority{Cert: files[at.FrontProxyCA.Cert], Key: files[at.FrontProxyCA.Key]},
		ServiceAccount: KeyPair{Private: files[at.SAKey], Public: files[at.SAPub]},
		Encryption:     files[at.Encryption],
	}
	for _, ca := range []struct {
		a  Authority
		at layout.Pair
	}{{s.CA, at.CA}, {s.EtcdCA, at.EtcdCA}, {s.FrontProxyCA, at.FrontProxyCA}} {
		if err := ca.a.check(ca.at); err != nil {
			return Shared{}, fmt.Errorf("read shared keys: %w", err)
		}
	}
	if err := s.ServiceAccount.check(at); err != nil {
		return Shared{}, fmt.Errorf("read shared keys: %w", err)
	}
	if err := checkEncryption(s.Encryption); err != nil && !at.Unencrypted {
		return Shared{}, fmt.Errorf("read shared keys: %s: %w", at.Encryption, err)
	}
	return s, nil
}

// check says whether certificate and key can be read and belong together.
func (a Authority) check(at layout.Pair) error {
	certs, err := parseCerts(a.Cert)
	if err != nil {
		return fmt.Errorf("%s: %w", at.Cert, err)
	}
	if !certs[0].IsCA {
		return fmt.Errorf("%s: %w", at.Cert, errors.New("not the certificate of an authority"))
	}
	key, err := parseKey(a.Key)
	if err != nil {
		return fmt.Errorf("%s: %w", at.Key, err)
	}
	if !samePublicKey(key.Public(), certs[0].PublicKey) {
		return fmt.Errorf("%s: not the key of %s: copy both from another control plane", at.Key, at.Cert)
	}
	return nil
}

func (k KeyPair) check(at layout.PKI) error {
	key, err := parseKey(k.Private)
	if err != nil {
		return fmt.Errorf("%s: %w", at.SAKey, err)
	}
	pub, err := parsePublicKey(k.Public)
	if err != nil {
		return fmt.Errorf("%s: %w", at.SAPub, err)
	}
	if !samePublicKey(key.Public(), pub) {
		return fmt.Errorf("%s: not the public half of %s: copy both from another control plane", at.SAPub, at.SAKey)
	}
	return nil
}

func public(path string, b []byte) host.File {
	return host.File{Path: path, Content: b, Mode: 0o644}
}

func secret(path string, b []byte) host.File {
	return host.File{Path: path, Content: b, Mode: 0o600, Secret: true}
}
