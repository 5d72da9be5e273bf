package pki

import (
	"errors"
	"fmt"
	"io/fs"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/topology"
)

// Dir is where all keys and certificates lie, as kubeadm has it.
const Dir = "/etc/kubernetes/pki"

// Where the shared keys lie: kubeadm's paths, so that its tools and habits
// find them, and one of our own for the encryption key.
const (
	CACertPath           = Dir + "/ca.crt"
	CAKeyPath            = Dir + "/ca.key"
	EtcdCACertPath       = Dir + "/etcd/ca.crt"
	EtcdCAKeyPath        = Dir + "/etcd/ca.key"
	FrontProxyCACertPath = Dir + "/front-proxy-ca.crt"
	FrontProxyCAKeyPath  = Dir + "/front-proxy-ca.key"
	SAKeyPath            = Dir + "/sa.key"
	SAPubPath            = Dir + "/sa.pub"
	EncryptionPath       = Dir + "/encryption.yaml"
)

// SharedPaths are the files of Shared, in the order of Files.
func SharedPaths() []string {
	var out []string
	for _, f := range (Shared{}).Files() {
		out = append(out, f.Path)
	}
	return out
}

// Files are the shared keys as the files of a control plane.
func (s Shared) Files() []host.File {
	return []host.File{
		public(CACertPath, s.CA.Cert),
		secret(CAKeyPath, s.CA.Key),
		public(EtcdCACertPath, s.EtcdCA.Cert),
		secret(EtcdCAKeyPath, s.EtcdCA.Key),
		public(FrontProxyCACertPath, s.FrontProxyCA.Cert),
		secret(FrontProxyCAKeyPath, s.FrontProxyCA.Key),
		secret(SAKeyPath, s.ServiceAccount.Private),
		public(SAPubPath, s.ServiceAccount.Public),
		secret(EncryptionPath, s.Encryption),
	}
}

// PublicFiles are the shared files of a host that is no control plane: a
// worker trusts the cluster's CA, a host of external etcd trusts etcd's. No
// key is among them.
func (s Shared) PublicFiles(n topology.Node) []host.File {
	var out []host.File
	if n.Worker {
		out = append(out, public(CACertPath, s.CA.Cert))
	}
	if n.Etcd {
		out = append(out, public(EtcdCACertPath, s.EtcdCA.Cert))
	}
	return out
}

// FilesFor are the shared files a host must have: all on a control plane, the
// public ones it needs elsewhere.
func (s Shared) FilesFor(n topology.Node) []host.File {
	if n.ControlPlane {
		return s.Files()
	}
	return s.PublicFiles(n)
}

// ParseShared reads the shared keys from the files of one control plane, by
// path. A missing file is an error that is fs.ErrNotExist; a file that cannot
// be read, or a key that does not belong to its certificate, is another. Each
// names the path.
func ParseShared(files map[string][]byte) (Shared, error) {
	for _, p := range SharedPaths() {
		if len(files[p]) == 0 {
			return Shared{}, fmt.Errorf("read shared keys: %s: %w: copy it from another control plane", p, fs.ErrNotExist)
		}
	}
	s := Shared{
		CA:             Authority{Cert: files[CACertPath], Key: files[CAKeyPath]},
		EtcdCA:         Authority{Cert: files[EtcdCACertPath], Key: files[EtcdCAKeyPath]},
		FrontProxyCA:   Authority{Cert: files[FrontProxyCACertPath], Key: files[FrontProxyCAKeyPath]},
		ServiceAccount: KeyPair{Private: files[SAKeyPath], Public: files[SAPubPath]},
		Encryption:     files[EncryptionPath],
	}
	for _, ca := range []struct {
		a         Authority
		cert, key string
	}{
		{s.CA, CACertPath, CAKeyPath},
		{s.EtcdCA, EtcdCACertPath, EtcdCAKeyPath},
		{s.FrontProxyCA, FrontProxyCACertPath, FrontProxyCAKeyPath},
	} {
		if err := ca.a.check(ca.cert, ca.key); err != nil {
			return Shared{}, fmt.Errorf("read shared keys: %w", err)
		}
	}
	if err := s.ServiceAccount.check(); err != nil {
		return Shared{}, fmt.Errorf("read shared keys: %w", err)
	}
	if err := checkEncryption(s.Encryption); err != nil {
		return Shared{}, fmt.Errorf("read shared keys: %s: %w", EncryptionPath, err)
	}
	return s, nil
}

// check says whether certificate and key can be read and belong together.
func (a Authority) check(certPath, keyPath string) error {
	certs, err := parseCerts(a.Cert)
	if err != nil {
		return fmt.Errorf("%s: %w", certPath, err)
	}
	if !certs[0].IsCA {
		return fmt.Errorf("%s: %w", certPath, errors.New("not the certificate of an authority"))
	}
	key, err := parseKey(a.Key)
	if err != nil {
		return fmt.Errorf("%s: %w", keyPath, err)
	}
	if !samePublicKey(key.Public(), certs[0].PublicKey) {
		return fmt.Errorf("%s: not the key of %s: copy both from another control plane", keyPath, certPath)
	}
	return nil
}

func (k KeyPair) check() error {
	key, err := parseKey(k.Private)
	if err != nil {
		return fmt.Errorf("%s: %w", SAKeyPath, err)
	}
	pub, err := parsePublicKey(k.Public)
	if err != nil {
		return fmt.Errorf("%s: %w", SAPubPath, err)
	}
	if !samePublicKey(key.Public(), pub) {
		return fmt.Errorf("%s: not the public half of %s: copy both from another control plane", SAPubPath, SAKeyPath)
	}
	return nil
}

func public(path string, b []byte) host.File {
	return host.File{Path: path, Content: b, Mode: 0o644}
}

func secret(path string, b []byte) host.File {
	return host.File{Path: path, Content: b, Mode: 0o600, Secret: true}
}
