package etcdadmin

import (
	"archive/tar"
	"bytes"
	"errors"
	"strings"
	"syscall"
	"time"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
)

// KeyHosts are the hosts that hold all keys which a snapshot needs elsewhere:
// what it has of Secrets is encrypted, and tokens and certificates in use are
// signed. The files are pki.SharedPaths there.
func (g *Guard) KeyHosts() []model.HostID {
	var out []model.HostID
	for _, id := range g.Seen.Have.IDs() {
		if g.Seen.Have.Hosts[id].Keys.Is(model.SharedKeys) {
			out = append(out, id)
		}
	}
	return out
}

// keysTar are the cluster's keys by their paths on a host; `tar -C / -xpf` puts
// them back.
func keysTar(s pki.Shared, at layout.PKI, now time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range s.Files(at) {
		h := &tar.Header{Name: strings.TrimPrefix(f.Path, "/"), Mode: int64(f.Mode), Size: int64(len(f.Content)), ModTime: now,
			Typeflag: tar.TypeReg, Uname: "root", Gname: "root"}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.Content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
