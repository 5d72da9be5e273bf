package observe

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
)

// keyring is what the hosts together hold of the cluster's keys.
type keyring struct {
	shared   *pki.Shared // nil: no reachable host holds them whole
	identity map[model.HostID]string
	partial  map[model.HostID]bool
	public   map[model.HostID][]byte // CA certificates
	facts    map[model.HostID]Facts
	conflict string
}

func readKeys(facts map[model.HostID]Facts) keyring {
	k := keyring{identity: map[model.HostID]string{}, partial: map[model.HostID]bool{}, public: map[model.HostID][]byte{}, facts: facts}
	var of []string
	for _, id := range slices.Sorted(maps.Keys(facts)) {
		f := facts[id]
		if f.Err != nil {
			continue
		}
		if ca, ok := f.Files[pki.CACertPath]; ok {
			k.public[id] = ca
		}
		s, err := pki.ParseShared(f.Files)
		switch {
		case err == nil:
			k.identity[id] = s.Identity()
			if k.shared == nil {
				k.shared = &s
			}
			of = append(of, fmt.Sprintf("%s (%.8s)", id, s.Identity()))
		case f.Files[pki.CAKeyPath] != nil || f.Files[pki.SAKeyPath] != nil || !errors.Is(err, fs.ErrNotExist):
			k.partial[id] = true
		}
	}
	if len(slices.Compact(slices.Sorted(maps.Values(k.identity)))) > 1 {
		k.conflict = "the hosts hold keys of different clusters: " + strings.Join(of, ", ") + "; nothing is changed before it is certain which one is meant: take the strangers out of the file, or reset them"
	}
	return k
}

// minted says whether the keys exist anywhere. With one control plane unseen,
// that none was found elsewhere proves nothing.
func (k keyring) minted(g *goal.Goal) model.Known[bool] {
	if k.shared != nil || len(k.partial) > 0 || len(k.public) > 0 {
		return model.Is(true)
	}
	for id, h := range g.Want.Hosts {
		if f, ok := k.facts[id]; h.Roles.Has(model.ControlPlane) && (!ok || f.Err != nil) {
			return model.Unknown[bool](fmt.Sprintf("%s was not seen", id))
		}
	}
	return model.Is(false)
}

func (k keyring) state(id model.HostID, f Facts) model.Keys {
	ca, has := k.public[id]
	foreign := has && k.shared != nil && !bytes.Equal(bytes.TrimSpace(ca), bytes.TrimSpace(k.shared.CA.Cert))
	switch {
	case k.identity[id] != "":
		return model.SharedKeys
	case foreign:
		return model.OtherKeys
	case k.partial[id]:
		return model.PartialKeys
	case has:
		return model.PublicKeys
	}
	return model.NoKeys
}

// ca is the certificate by which a host's leaves are judged: the cluster's, or
// while no control plane answers, the one the host holds.
func (k keyring) ca(of pki.CA, f Facts) []byte {
	if k.shared != nil {
		if a, err := k.shared.Authority(of); err == nil {
			return a.Cert
		}
	}
	return f.Files[map[pki.CA]string{pki.KubernetesCA: pki.CACertPath, pki.EtcdCA: pki.EtcdCACertPath, pki.FrontProxyCA: pki.FrontProxyCACertPath}[of]]
}
