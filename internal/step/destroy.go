package step

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
)

// seenElsewhere is what a host that leaves may not keep, now that it was read on
// a host that stays: the digests of the cluster's keys, and "data" when etcd's
// data is of the living cluster and a snapshot of that was saved elsewhere.
// Data of any other cluster may hold the only copy of something.
func (s Clean) seenElsewhere(ctx context.Context, e Env) (leaves []string, err error) {
	shared, at, err := s.readBack(ctx, e)
	if err != nil {
		return nil, fmt.Errorf("%s: its copies of the cluster's keys are destroyed only after another host's were read, and that failed: %w; "+
			"to let it keep them: --keep-keys", s.ID, err)
	}
	e.Say("%s: the cluster's keys were read on %s", s.ID, at)
	for _, f := range shared.Files(e.Goal.Layout.PKI) {
		leaves = append(leaves, fmt.Sprintf("%x", sha256.Sum256(f.Content)))
	}
	if e.DataOf == "" || e.DataOf != e.LivingEtcd {
		return leaves, nil
	}
	for _, id := range stayingVoters(e, s.ID) {
		snap, err := etcd.SaveSnapshot(ctx, e.On(id), e.Goal.Layout)
		if err == nil {
			e.Say("%s: snapshot %s (%s)", id, snap.Path, snap)
			return append(leaves, "data"), nil
		}
		e.Say("%s: no snapshot was saved, so that %s keeps its etcd data: %v", id, s.ID, err)
	}
	return leaves, nil
}

// readBack reads the cluster's keys on another host that has them and stays.
func (s Clean) readBack(ctx context.Context, e Env) (shared pki.Shared, at model.HostID, err error) {
	err = errors.New("no host that stays has them")
	for _, id := range e.Have.IDs() {
		other := e.Have.Hosts[id]
		if id == s.ID || !holdsKeys(other) || other.Roles == 0 || e.On(id) == nil {
			continue
		}
		files := map[string][]byte{}
		for _, path := range pki.SharedPaths(e.Goal.Layout.PKI) {
			if files[path], err = e.On(id).ReadFile(ctx, path); err != nil {
				break
			}
		}
		if err != nil {
			continue
		}
		if shared, err = pki.ParseShared(files, e.Goal.Layout.PKI); err != nil {
			err = fmt.Errorf("%s: %w", id, err)
			continue
		}
		if e.Shared == nil || e.Shared.Identity() != shared.Identity() {
			err = fmt.Errorf("%s: they are not those of the cluster", id)
			continue
		}
		return shared, id, nil
	}
	return pki.Shared{}, "", err
}

// stayingVoters are members of etcd that serve and are not about to leave.
func stayingVoters(e Env, but model.HostID) (ids []model.HostID) {
	for _, id := range e.Have.IDs() {
		h := e.Have.Hosts[id]
		if id != but && h.Up() && h.Roles.Has(model.EtcdHost) && h.Etcd.Member.Is(model.Voter) && h.Etcd.Healthy.Is(true) && e.On(id) != nil {
			ids = append(ids, id)
		}
	}
	return slices.Clip(ids)
}
