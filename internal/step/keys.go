package step

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"quorate.dev/quorate/internal/addon"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/workload"
)

// CreateCAs makes the cluster's keys, once, on one control plane. It is the only
// step that ever makes a certificate authority.
type CreateCAs struct{ on }

// About implements plan.Step.
func (s CreateCAs) About() plan.About {
	return plan.About{Kind: "mint", Host: s.ID, Title: "create the cluster's keys",
		Why: "every control plane was checked and none has them"}
}

// Need implements plan.Step.
func (s CreateCAs) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	for _, id := range c.IDs() { // with those that leave: one of them may hold the keys
		h := c.Hosts[id]
		if h.Roles != 0 && !h.Roles.Has(model.ControlPlane) {
			continue
		}
		k, known := h.Keys.Get()
		if !known {
			return fmt.Errorf("%s was not seen and may hold the cluster's keys (%s): a certificate authority is made only when every "+
				"control plane has been seen and none has one; bring %s back, or take it out of the file", id,
				cmp.Or(h.Keys.Why(), h.Reached.Why(), "no answer"), id)
		}
		if k != model.NoKeys {
			return fmt.Errorf("%s holds keys already (%s)", id, k)
		}
	}
	if !c.CAsCreated.Is(false) {
		return errors.New("it is not certain that no keys exist")
	}
	return nil
}

// Effect implements plan.Step.
func (s CreateCAs) Effect(c *model.Cluster) {
	c.CAsCreated = model.Is(true)
	c.Edit(s.ID, func(h *model.Host) { h.Keys = model.Is(model.SharedKeys) })
}

// Interim implements plan.Step: the folder appears whole or not at all.
func (s CreateCAs) Interim(*model.Cluster) {}

// CopyKeys brings the cluster's existing keys to a host that lacks them: all of
// them to a control plane, the CA certificate alone to a worker.
type CopyKeys struct{ on }

// About implements plan.Step.
func (s CopyKeys) About() plan.About {
	title := "copy the cluster's keys"
	if s.Want.Keys.Is(model.PublicKeys) {
		title = "copy the CA certificates"
	}
	return plan.About{Kind: "keys", Host: s.ID, Title: title}
}

// Need implements plan.Step.
func (s CopyKeys) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	if c.Hosts[s.ID].Keys.Is(model.OtherKeys) {
		if !s.Want.Roles.Has(model.ControlPlane) { // the others do without it
			return plan.CauseError{Host: s.ID, What: "it holds keys that are not the cluster's; reset it, or take it out of the file"}
		}
		return needsOperator("it holds the keys of another cluster; reset it there, or take it out of the file")
	}
	if _, ok := anyone(c, holdsKeys); !ok {
		return errors.New("no reachable control plane holds the cluster's keys")
	}
	if s.unmarked(c) {
		return errors.New("it is not marked as joining yet")
	}
	return nil
}

// Effect implements plan.Step.
func (s CopyKeys) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Keys = s.Want.Keys })
}

// Interim implements plan.Step.
func (s CopyKeys) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Keys = model.Is(model.PartialKeys) })
}

// Certs issues the host's leaf certificates that are missing, due for renewal,
// or not what the file wants. The running services take new files up by
// themselves.
type Certs struct {
	on
	why string
}

// About implements plan.Step.
func (s Certs) About() plan.About {
	return plan.About{Kind: "certs", Host: s.ID, Title: "issue certificates", Why: s.why}
}

// Need implements plan.Step.
func (s Certs) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	if !model.Same(c.Hosts[s.ID].Keys, s.Want.Keys) {
		return errors.New("it does not have the cluster's keys yet")
	}
	if _, ok := anyone(c, holdsKeys); !ok {
		return errors.New("no reachable control plane holds the cluster's keys")
	}
	if c.Adopted && c.Addons[addon.AddonKubeadm].Not(model.Installed{Digest: workload.AsFound, Valid: true}) {
		return errors.New("the file's names are not in kubeadm's configuration yet")
	}
	return nil
}

// Effect implements plan.Step: a running API server takes its new certificate up
// by itself.
func (s Certs) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		h.Certs = s.Want.Certs
		if showsOther(h) {
			h.ServesName = model.Is(true)
		}
		if h.AdminServer.Is("") && s.Want.AdminServer.Known() {
			h.AdminServer = s.Want.AdminServer
		}
	})
}

// showsOther says that an API server that serves shows a certificate which is not
// good for the endpoint.
func showsOther(h *model.Host) bool {
	return h.Runs(model.APIServer) && h.Ready.Is(true) && h.ServesName.Is(false)
}

// Interim implements plan.Step: each key and its certificate are replaced one
// rename after the other; what runs keeps the pair it has loaded.
func (s Certs) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Certs = model.Unknown[model.Installed]("being issued") })
}

// Do implements Action. The folder is made beside its place and renamed, so
// that a kill leaves all of it or none.
func (s CreateCAs) Do(ctx context.Context, e Env) error {
	shared, err := pki.NewShared(pki.Options{KeyAlgorithm: e.Goal.File.Spec.PKI.KeyAlgorithm, CADays: e.Goal.File.Spec.PKI.CADays,
		EncryptionProvider: e.Goal.File.Spec.Encryption.Provider})
	if err != nil {
		return err
	}
	at, kept := e.Goal.Layout.PKI, e.Goal.Layout.Own.Kept
	fresh := at.Dir + ".new"
	if _, err := sh(ctx, e, "", `rm -rf "$1"; ! [ -e "$2" ]`, fresh, at.CA.Cert); err != nil {
		return fmt.Errorf("make room for the keys: %w", err)
	}
	files := shared.Files(at)
	for i := range files {
		files[i].Path = fresh + strings.TrimPrefix(files[i].Path, at.Dir)
	}
	if _, err := e.Host.WriteFiles(ctx, files); err != nil {
		return err
	}
	// Named, so that a run that lost its connection here is waited for by the next.
	_, err = sh(ctx, e, "mint", `[ -e "$3" ] && { echo "keys have appeared meanwhile; apply again" >&2; exit 1; }
chmod 755 "$1" "$5"; sync
if [ -d "$2" ]; then k=$4/$(date -u +%Y%m%dT%H%M%SZ)$2; mkdir -p "${k%/*}"; mv -T "$2" "$k"; fi
mv -T "$1" "$2"; sync`, fresh, at.Dir, at.CA.Cert, kept, fresh+strings.TrimPrefix(at.EtcdDir(), at.Dir))
	return err
}

// Do implements Action.
func (s CopyKeys) Do(ctx context.Context, e Env) error {
	h, err := s.goal(e)
	if err != nil {
		return err
	}
	if e.Shared == nil {
		return ErrNotYet
	}
	if err := write(ctx, e, e.Shared.FilesFor(h.Node, e.Goal.Layout.PKI)); err != nil {
		return err
	}
	return refreshCopies(ctx, e, h)
}

// Do implements Action.
func (s Certs) Do(ctx context.Context, e Env) error {
	h, err := s.goal(e)
	if err != nil {
		return err
	}
	if e.Shared == nil {
		return ErrNotYet
	}
	now := time.Now()
	var files []host.File
	for _, c := range h.Certs {
		ca, err := e.Shared.Authority(c.Issuer)
		if err != nil {
			return err
		}
		if have, err := pki.Inspect(e.Files[c.Path], nil, ca.Cert); err == nil && pki.Current(have, c, now) {
			continue
		}
		cert, key, err := pki.Issue(*e.Shared, c, now)
		if err != nil {
			return fmt.Errorf("issue %s: %w", c.Name, err)
		}
		both, err := c.Files(e.Goal.Want.Name, *e.Shared, cert, key)
		if err != nil {
			return err
		}
		files = append(files, both...)
	}
	if err := write(ctx, e, files); err != nil {
		return err
	}
	return refreshCopies(ctx, e, h)
}
