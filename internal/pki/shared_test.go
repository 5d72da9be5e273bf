package pki

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/topology"
)

// epoch is the time in these tests.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newShared(t *testing.T, o Options) Shared {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return epoch }
	}
	s, err := NewShared(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fileMap(s Shared) map[string][]byte {
	out := map[string][]byte{}
	for _, f := range s.Files(lay) {
		out[f.Path] = f.Content
	}
	return out
}

func TestSharedSurvivesTheDisk(t *testing.T) {
	for _, o := range []Options{{}, {KeyAlgorithm: RSA2048, EncryptionProvider: "aescbc"}} {
		s := newShared(t, o)
		back, err := ParseShared(fileMap(s), lay)
		if err != nil {
			t.Fatal(err)
		}
		if back.Identity() != s.Identity() {
			t.Errorf("%+v: identity changed on the way", o)
		}
		if newShared(t, o).Identity() == s.Identity() {
			t.Errorf("%+v: two clusters have one identity", o)
		}
	}
}

func TestIdentityCoversEveryPart(t *testing.T) {
	s, other := newShared(t, Options{}), newShared(t, Options{})
	for name, change := range map[string]func(*Shared){
		"ca":          func(s *Shared) { s.CA = other.CA },
		"etcd ca":     func(s *Shared) { s.EtcdCA = other.EtcdCA },
		"front proxy": func(s *Shared) { s.FrontProxyCA = other.FrontProxyCA },
		"sa":          func(s *Shared) { s.ServiceAccount = other.ServiceAccount },
		"encryption":  func(s *Shared) { s.Encryption = other.Encryption },
	} {
		changed := s
		change(&changed)
		if changed.Identity() == s.Identity() {
			t.Errorf("%s takes no part in the identity", name)
		}
	}
	relaid := s
	relaid.CA.Cert = append([]byte("# a comment before the block\n"), s.CA.Cert...)
	if relaid.Identity() != s.Identity() {
		t.Error("the layout of a PEM file changes the identity")
	}
}

func TestParseSharedNamesThePath(t *testing.T) {
	s, other := newShared(t, Options{}), newShared(t, Options{})
	theirs := fileMap(other)
	for _, path := range SharedPaths(lay) {
		files := fileMap(s)
		delete(files, path)
		_, err := ParseShared(files, lay)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("without %s: %v", path, err)
		}
		files[path] = []byte("rubbish")
		_, err = ParseShared(files, lay)
		if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("rubbish in %s: %v", path, err)
		}
		files[path] = theirs[path]
		if _, err = ParseShared(files, lay); path == lay.Encryption {
			if err != nil {
				t.Errorf("another cluster's %s cannot be told by itself: %v", path, err)
			}
		} else if err == nil {
			t.Errorf("another cluster's %s was taken", path)
		}
	}
	files := fileMap(s)
	files[lay.Encryption] = []byte("kind: EncryptionConfiguration\nresources: [{resources: [secrets], providers: [{identity: {}}]}]\n")
	if _, err := ParseShared(files, lay); err == nil {
		t.Error("an encryption configuration that encrypts nothing was taken")
	}
}

func TestKeysAreSecret(t *testing.T) {
	s := newShared(t, Options{})
	for _, f := range s.Files(lay) {
		private := strings.HasSuffix(f.Path, ".key") || f.Path == lay.Encryption
		if f.Secret != private || (f.Mode == 0o600) != private {
			t.Errorf("%s: secret %v, mode %o", f.Path, f.Secret, f.Mode)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{s, s.CA, s.ServiceAccount, &s} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "PRIVATE") || strings.Contains(text, "secretbox") || len(text) > 60 {
				t.Errorf("%s of %T shows %q", verb, v, text)
			}
		}
	}
	for _, n := range []topology.Node{{Worker: true}, {Etcd: true}, {LoadBalancer: true}, {Worker: true, Etcd: true}} {
		for _, f := range s.FilesFor(n, lay) {
			if f.Secret || strings.Contains(string(f.Content), "PRIVATE") {
				t.Errorf("%+v gets %s", n, f.Path)
			}
		}
	}
	if got := s.FilesFor(topology.Node{Etcd: true}, lay); len(got) != 1 || got[0].Path != lay.EtcdCA.Cert {
		t.Errorf("a host of external etcd gets %d files", len(got))
	}
	if got := s.FilesFor(topology.Node{LoadBalancer: true}, lay); len(got) != 1 || got[0].Path != lay.CA.Cert {
		t.Errorf("a load balancer gets %d files", len(got))
	}
	if got := s.FilesFor(topology.Node{ControlPlane: true}, lay); len(got) != len(SharedPaths(lay)) {
		t.Errorf("a control plane gets %d files", len(got))
	}
}

func TestUnknownOptionsAreRefused(t *testing.T) {
	for _, o := range []Options{{KeyAlgorithm: "DSA"}, {EncryptionProvider: "rot13"}, {CADays: -1}} {
		if _, err := NewShared(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
