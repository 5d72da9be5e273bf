package etcdadmin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
)

// Source is the host whose member a snapshot is taken from: the one named, or
// the leader's. Without a quorum one must be named, for its data may be old.
func (g *Guard) Source(named model.HostID) (model.HostID, error) {
	if err := g.certain(); err != nil {
		return "", err
	}
	if named == "" {
		at := g.leader()
		switch {
		case at == "":
			return "", Refused{"etcd has no leader just now, so that it is not known whose data is the newest",
				"quorate etcd status; then name a member's host with --host"}
		case g.Hosts[at] == nil || !g.Seen.Have.Hosts[at].Up():
			return "", Refused{fmt.Sprintf("%s, whose etcd leads, cannot be reached", at), "name another member's host with --host"}
		case g.corrupt(at):
			return "", Refused{fmt.Sprintf("%s, whose etcd leads, has data that differs from the others' (alarm CORRUPT)", at),
				"name another member's host with --host"}
		}
		return at, nil
	}
	m, listed := g.Seen.Etcd.Members[named]
	switch {
	case !listed:
		return "", Refused{fmt.Sprintf("%s has no etcd member", named), "quorate etcd members shows who has"}
	case m.Learner:
		return "", Refused{fmt.Sprintf("the member of %s is a learner, and may be far behind", named), "take it from a voter"}
	case g.Seen.Facts[named].Err != nil:
		return "", g.Seen.Facts[named].Err
	case !g.Seen.Facts[named].EtcdLocal:
		return "", Refused{fmt.Sprintf("the etcd of %s does not answer", named), "quorate etcd status says why; name another member's host"}
	}
	switch {
	case g.corrupt(named):
		g.Say("%s: the data of its member differs from the others' (alarm CORRUPT)", named)
	case !g.healthy(named):
		g.Say("%s: there is no quorum: this is what its member has, and others may have had more", named)
	}
	return named, nil
}

// corrupt says that CORRUPT is raised of a host's member.
func (g *Guard) corrupt(id model.HostID) bool {
	is := etcd.Alarm{Member: g.Seen.Etcd.Members[id].ID, Kind: etcd.Corrupt}
	for _, st := range g.Seen.Etcd.Status {
		if slices.Contains(st.Alarms, is) {
			return true
		}
	}
	return false
}

// SaveThere saves a snapshot on the host whose member it is of; with keys, what
// it needs elsewhere is put beside it.
func (g *Guard) SaveThere(ctx context.Context, at model.HostID, keys bool) (s etcd.Snapshot, err error) {
	h, _ := g.Seen.Goal.File.Host(string(at))
	if keys && !h.Has(spec.RoleControlPlane) {
		return s, Refused{fmt.Sprintf("%s is no control plane, and the cluster's keys do not belong there", at), "save it here with --to FILE"}
	}
	err = g.step(at, "snapshot", "save a snapshot of etcd", func() error {
		if s, err = etcd.SaveSnapshot(ctx, g.Hosts[at], g.Seen.Goal.Layout); err == nil {
			g.Say("%s: snapshot %s (%s)", at, s.Path, s)
		}
		return err
	})
	if err != nil || !keys {
		return s, err
	}
	return s, g.step(at, "snapshot-keys", "save its keys next to it", func() error {
		if err := g.noKeys(); err != nil {
			return err
		}
		text, err := keysTar(*g.Seen.Shared, g.Seen.Goal.Layout.PKI, time.Now())
		if err == nil {
			_, err = g.Hosts[at].WriteFile(ctx, host.File{Path: s.Path + etcd.KeysSuffix, Content: text, Mode: 0o600, Secret: true})
		}
		s.WithKeys = err == nil
		return err
	})
}

// SaveHere streams a snapshot through SSH into a file on this machine. The file
// appears whole and checked, or not at all, and replaces none.
func (g *Guard) SaveHere(ctx context.Context, at model.HostID, file string, keys bool) (s etcd.Snapshot, err error) {
	for _, f := range []string{file, file + etcd.KeysSuffix} {
		if err := free(f); err != nil {
			return s, err
		}
	}
	err = g.step(at, "snapshot", "stream a snapshot of etcd", func() error {
		s, err = g.stream(ctx, at, file)
		return err
	})
	if err != nil || !keys {
		return s, err
	}
	return s, g.step(at, "snapshot-keys", "save its keys next to it", func() error {
		if err := g.noKeys(); err != nil {
			return err
		}
		text, err := keysTar(*g.Seen.Shared, g.Seen.Goal.Layout.PKI, time.Now())
		if err == nil {
			err = writeNew(file+etcd.KeysSuffix, func(f *os.File) error { _, err := f.Write(text); return err })
		}
		if s.WithKeys = err == nil; s.WithKeys {
			g.Say("saved its keys in %s", file+etcd.KeysSuffix)
		}
		return err
	})
}

func (g *Guard) stream(ctx context.Context, at model.HostID, file string) (s etcd.Snapshot, err error) {
	c, err := g.client(ctx, at)
	if err != nil {
		return s, err
	}
	st, err := c.Status(ctx)
	if err != nil {
		return s, err
	}
	err = writeNew(file, func(f *os.File) error {
		if _, err := c.Snapshot(ctx, f); err != nil {
			return fmt.Errorf("%w%s", err, full(err))
		}
		if err := f.Sync(); err != nil {
			return err
		}
		// Read back: what is on the disk is what counts.
		if s, err = etcd.CheckSnapshotFile(f.Name()); err == nil && s.Problem != "" {
			err = errors.New(s.Problem)
		}
		return err
	})
	if err != nil {
		return etcd.Snapshot{}, err
	}
	s.Path, s.Host, s.Revision = file, string(at), st.Revision
	g.Say("snapshot %s of the member of %s (%s, revision %d or later)", file, at, mib(s.Size), st.Revision)
	return s, nil
}

// free refuses a name that is taken.
func free(file string) error {
	_, err := os.Lstat(file)
	switch {
	case err == nil:
		return Refused{fmt.Sprintf("%s is already there, and an existing snapshot is never overwritten", file), "choose another name"}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// full says what to do when this machine's disk is.
func full(err error) string {
	if isFull(err) {
		return " (this machine's disk is full; nothing is left of the file: make room, or choose another place)"
	}
	return ""
}

// writeNew makes a file of mode 0600 that is there whole or not at all, and
// replaces none, not even one that appears meanwhile.
func writeNew(file string, fill func(*os.File) error) error {
	dir, name := filepath.Split(file)
	if dir == "" {
		dir = "."
	}
	partial := "." + name + ".partial-"
	old, _ := filepath.Glob(filepath.Join(dir, partial+"[0-9]*")) // of one that was killed; a bad pattern finds none
	for _, o := range old {
		if st, err := os.Lstat(o); err == nil && time.Since(st.ModTime()) > time.Minute {
			os.Remove(o)
		}
	}
	f, err := os.CreateTemp(dir, partial+"*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), file); err != nil {
		// A file system without hard links: then the moment between must do.
		if ferr := free(file); ferr != nil {
			return ferr
		}
		if err := os.Rename(f.Name(), file); err != nil {
			return err
		}
	}
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync() // not every file system can
		d.Close()
	}
	return nil
}

// Listed are the snapshots of one host, or why they are not known.
type Listed struct {
	Host      model.HostID    `json:"host"`
	Err       string          `json:"error,omitempty"`
	Snapshots []etcd.Snapshot `json:"snapshots"`
}

// Snapshots lists those on every host that is or was a member; read checks
// each, which reads all of it.
func (g *Guard) Snapshots(ctx context.Context, read bool) []Listed {
	var ids []model.HostID
	for id, f := range g.Seen.Facts {
		if g.Hosts[id] != nil && (g.Seen.Have.IsCritical(id) || f.Bootstrapped || f.Data) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	out := make([]Listed, len(ids))
	var wg sync.WaitGroup
	for i, id := range ids {
		out[i] = Listed{Host: id, Snapshots: []etcd.Snapshot{}}
		if err := g.Seen.Facts[id].Err; err != nil {
			out[i].Err = host.Reason(err, string(id))
			continue
		}
		wg.Go(func() {
			all, err := etcd.Snapshots(ctx, g.Hosts[id], g.Seen.Goal.Layout, read)
			if err != nil {
				out[i].Err = host.Reason(err, string(id))
			}
			out[i].Snapshots = append(out[i].Snapshots, all...)
		})
	}
	wg.Wait()
	return out
}
