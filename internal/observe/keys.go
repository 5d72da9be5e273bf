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
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/topology"
)

// keyring is what the hosts together hold of the cluster's keys.
type keyring struct {
	shared   *pki.Shared // nil: no reachable host holds them whole
	identity map[model.HostID]string
	partial  map[model.HostID]bool
	public   map[model.HostID][]byte     // CA certificates
	claimed  map[model.HostID]pki.Shared // whole sets on hosts that are no control planes: they count for nothing
	facts    map[model.HostID]Facts
	at       layout.PKI
	conflict string
}

// readKeys takes the cluster's keys from control planes of the file, or else
// from former ones: any other host could hold those of a cluster of its own.
func readKeys(g *goal.Goal, facts map[model.HostID]Facts, former []model.HostID) keyring {
	at := g.Layout.PKI
	k := keyring{identity: map[model.HostID]string{}, partial: map[model.HostID]bool{}, public: map[model.HostID][]byte{}, facts: facts,
		at: at, claimed: map[model.HostID]pki.Shared{}}
	var of []string
	for _, id := range slices.Sorted(maps.Keys(facts)) {
		f := facts[id]
		if f.Err != nil {
			continue
		}
		for _, path := range []string{at.EtcdCA.Cert, at.CA.Cert} {
			if ca, ok := f.Files[path]; ok {
				k.public[id] = ca
			}
		}
		s, err := pki.ParseShared(f.Files, at)
		switch {
		case err == nil && !hostOf(g, id).Node.ControlPlane && !slices.Contains(former, id):
			k.claimed[id] = s
		case err == nil:
			k.identity[id] = s.Identity()
			if k.shared == nil {
				k.shared = &s
			}
			of = append(of, fmt.Sprintf("%s (%.8s)", id, s.Identity()))
		case f.Files[at.CA.Key] != nil || f.Files[at.SAKey] != nil || !errors.Is(err, fs.ErrNotExist):
			k.partial[id] = true
		}
	}
	if len(slices.Compact(slices.Sorted(maps.Values(k.identity)))) > 1 {
		k.conflict = "the hosts hold keys of different clusters: " + strings.Join(of, ", ") +
			"; nothing is changed until it is clear which one is meant: remove the wrong hosts from the file, or reset them"
	}
	for id, s := range k.claimed {
		if k.shared != nil && s.Identity() == k.shared.Identity() {
			k.identity[id] = s.Identity() // a control plane that becomes a worker
		}
	}
	return k
}

// candidate are keys that only hosts have which are no control planes by the
// file: it may have named them so when it was applied last. Nothing may speak
// against them.
func (k keyring) candidate(g *goal.Goal) *pki.Shared {
	var one *pki.Shared
	for _, s := range k.claimed {
		if one != nil && one.Identity() != s.Identity() {
			return nil
		}
		one = &s
	}
	if one == nil || k.shared != nil {
		return nil
	}
	for id, h := range g.Hosts {
		f, asked := k.facts[id]
		if h.Node.ControlPlane && (!asked || f.Err != nil || k.partial[id]) {
			return nil
		}
	}
	for id, ca := range k.public {
		if ca = bytes.TrimSpace(ca); k.facts[id].Marker != "" && !bytes.Equal(ca, bytes.TrimSpace(one.CA.Cert)) &&
			!bytes.Equal(ca, bytes.TrimSpace(one.EtcdCA.Cert)) {
			return nil
		}
	}
	return one
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

// state says which of the keys a host holds, by its part in the cluster.
func (k keyring) state(n topology.Node, id model.HostID, f Facts) model.Keys {
	if k.identity[id] != "" {
		return model.SharedKeys
	}
	if _, other := k.claimed[id]; other && k.shared != nil {
		return model.OtherKeys
	}
	// Keys beside them on a host that needs none are no concern of the cluster's.
	if k.partial[id] && (n.ControlPlane || k.shared == nil) {
		return model.PartialKeys
	}
	if k.shared == nil {
		if k.public[id] != nil {
			return model.PublicKeys
		}
		return model.NoKeys
	}
	have := 0
	public := k.shared.PublicFiles(n, k.at)
	for _, p := range public {
		switch got, there := f.Files[p.Path]; {
		case there && !bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace(p.Content)):
			return model.OtherKeys
		case there:
			have++
		}
	}
	switch have {
	case 0:
		return model.NoKeys
	case len(public):
		return model.PublicKeys
	}
	return model.PartialKeys
}

// ca is the certificate by which a host's leaves are judged: the cluster's, or
// while no control plane answers, the one the host holds.
func (k keyring) ca(of pki.CA, f Facts) []byte {
	if k.shared != nil {
		if a, err := k.shared.Authority(of); err == nil {
			return a.Cert
		}
	}
	return f.Files[of.Path(k.at)]
}
