package step

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// StageData makes the data of the new cluster, beside etcd's own: what cannot be
// read is found out while nothing has been replaced.
type StageData struct{ recovered }

// About implements plan.Step.
func (s StageData) About() plan.About {
	title := "make the data of a new etcd cluster from that of its own member"
	if !s.Recovery.Own {
		title = "make the data of a new etcd cluster from the snapshot"
	}
	return plan.About{Kind: "stage-data", Host: s.ID, Title: title, Limit: plan.CopyLimit}
}

// Need implements plan.Step: data that is still written to would lack the end.
func (s StageData) Need(c model.Cluster) error {
	if err := s.chosen(c); err != nil {
		return err
	}
	if !s.Recovery.Own {
		return nil
	}
	if h := c.Hosts[s.ID]; mayRun(&h, model.Etcd) {
		return errors.New("its etcd still runs")
	}
	return s.still(c, "", controlPlane...)
}

// Effect implements plan.Step.
func (s StageData) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Etcd.Recovery.Staged = h.Etcd.Recovery.Staged || !h.Etcd.Recovery.InPlace })
}

// Interim implements plan.Step: it is there as a whole, or not.
func (s StageData) Interim(*model.Cluster) {}

// Do implements Action.
func (s StageData) Do(ctx context.Context, e Env) error {
	h, err := s.goal(e)
	if err != nil {
		return err
	}
	r := e.Recovery
	args := []string{r.ID, h.Node.Name, e.Goal.Layout.Etcd.PeerURL(h.Node.Address), r.Token, strconv.FormatInt(r.Bump, 10)}
	if r.From != "" {
		path, err := snapshotThere(ctx, e)
		if err != nil {
			return err
		}
		args = append(args, path, r.Snapshot)
	}
	out, err := recovering(ctx, e, "etcd-recovery", "make the data of the new etcd cluster", "stage", args...)
	if err == nil && out == "bare" {
		e.Say("%s: etcd does not come up with this data, so the bare database is taken: the last writes before it stopped may be missing", s.ID)
	}
	return err
}

// snapshotThere is where the snapshot lies on the survivor.
func snapshotThere(ctx context.Context, e Env) (string, error) {
	switch r := e.Recovery; {
	case r.Path != "":
		return r.Path, nil
	case r.File != "":
		size, err := fileSize(r.File)
		if err != nil {
			return "", err
		}
		_, err = e.Host.Upload(ctx, host.Blob{Path: r.File, SHA256: r.Snapshot, Size: size, Mode: 0o600}, e.Goal.Layout.Own.Restore)
		return e.Goal.Layout.Own.Restore, err
	}
	return "", fmt.Errorf("%s: its data is not ready, and the snapshot %s is needed for it: run the same `quorate etcd restore` again",
		e.Host.Name(), e.Recovery.From)
}

// SwapData puts the staged data in the place of etcd's. From then on the old
// cluster is superseded.
type SwapData struct{ recovered }

// About implements plan.Step.
func (s SwapData) About() plan.About {
	return plan.About{Kind: "swap-data", Host: s.ID, Title: "put it in the place of etcd's data", Why: "what is there now is kept under " +
		layout.Quorate().Kept, Irreversible: true}
}

// Need implements plan.Step.
func (s SwapData) Need(c model.Cluster) error {
	if err := s.chosen(c); err != nil {
		return err
	}
	e := c.Hosts[s.ID].Etcd
	switch {
	case !e.Recovery.Staged:
		return errors.New("the new data is not ready yet")
	case !s.fenced(e):
		return errors.New("the hosts of the old cluster could still reach it")
	}
	if err := s.still(c, "", controlPlane...); err != nil {
		return err
	}
	return s.still(c, "", model.Etcd)
}

// Effect implements plan.Step.
func (s SwapData) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		r := &h.Etcd.Recovery
		if r.InPlace {
			return
		}
		r.Aside = r.Aside || h.Etcd.Data.Is(true)
		r.InPlace, r.Staged = true, false
		h.Etcd.Data, h.Etcd.Bootstrapped, h.Etcd.DataLost = model.Is(true), model.Is(true), false
	})
}

// Interim implements plan.Step: the old data is out, the new one not in yet.
func (s SwapData) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		h.Etcd.Recovery.Aside = h.Etcd.Recovery.Aside || h.Etcd.Data.Is(true)
		h.Etcd.Data = model.Is(false)
	})
}

// Do implements Action.
func (s SwapData) Do(ctx context.Context, e Env) error {
	_, err := recovering(ctx, e, "etcd-recovery", "put the new data in the place of etcd's", "swap", s.Recovery.ID)
	return err
}

// KeepReplaced moves what a recovery has replaced to where such things are kept,
// which may be another disk.
type KeepReplaced struct{ on }

// About implements plan.Step.
func (s KeepReplaced) About() plan.About {
	return plan.About{Kind: "keep-replaced", Host: s.ID, Title: "move the replaced etcd data to " + layout.Quorate().Kept,
		Limit: plan.CopyLimit}
}

// Need implements plan.Step.
func (s KeepReplaced) Need(c model.Cluster) error { return s.reach(c) }

// Effect implements plan.Step.
func (s KeepReplaced) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Etcd.Recovery.Aside = false })
}

// Interim implements plan.Step.
func (s KeepReplaced) Interim(*model.Cluster) {}

// Do implements Action.
func (s KeepReplaced) Do(ctx context.Context, e Env) error {
	at, err := recovering(ctx, e, "etcd-keep", "keep the replaced etcd data", "keep")
	if err == nil && at != "" {
		e.Keep("etcd data", at)
	}
	return err
}

func fileSize(path string) (int64, error) {
	st, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}
