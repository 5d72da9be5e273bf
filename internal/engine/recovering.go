package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/step"
)

// recovering is one run of Recover.
type recovering struct {
	*Engine
	Recovery
	ob       *observe.Observation // before it began
	past     []string             // clusters that end with it
	live     bool                 // the member whose data it is serves clients
	restore  step.Restore
	revision int64
}

// Recover makes a new etcd cluster of one member and stops all that knows the
// old one, on all hosts that can be reached. It can be repeated after any
// interruption: until the data is swapped on that host the old is there, from
// then on the new. The others join by Apply. It returns the revision of the data.
func (e *Engine) Recover(ctx context.Context, how Recovery) (revision int64, err error) {
	ob, err := e.Look(ctx)
	if err != nil {
		return 0, err
	}
	if err := recoverable(ob, how); err != nil {
		return 0, err
	}
	r := &recovering{Engine: e, Recovery: how, ob: ob, past: superseded(ob)}
	_, r.live = ob.Etcd.Status[how.At]
	r.restore = step.Restore{Member: ob.Goal.Hosts[how.At].Node, Token: ob.Have.Name + "-" + strings.ToLower(rand.Text()), Superseded: r.past, Snapshot: r.at().Own.Restore, Behind: how.Behind}
	var all, others []model.HostID // that know the old cluster
	for _, id := range ob.Have.Critical() {
		if ob.Have.Hosts[id].Up() {
			if all = append(all, id); id != how.At {
				others = append(others, id)
			}
		}
	}
	at := []model.HostID{how.At}
	stages := []struct {
		kind, title string
		hosts       []model.HostID
		do          func(context.Context, model.HostID) error
	}{
		{"stop", "stop the API server, controller-manager and scheduler", all, r.stop(model.ControllerManager, model.Scheduler, model.APIServer)},
		{"snapshot", "get the data that is to come back", at, r.get},
		{"stop", "stop etcd", all, r.stop(model.Etcd)},
		{"fence", "let nobody reach it who may hold old data", at, r.fence},
		{"restore", "begin a new etcd cluster from the data", at, r.begin},
		{"supersede", "remember that the old etcd cluster is superseded", others, func(ctx context.Context, id model.HostID) error {
			return step.RecordSuperseded(ctx, r.on(id), r.at(), r.past...)
		}},
		{"start", "start etcd as the only member", at, r.start},
	}
	for i, s := range stages {
		if err := e.onAll(ctx, i+1, len(stages), s.kind, s.title, s.hosts, s.do); err != nil {
			return 0, err
		}
	}
	return r.revision, nil
}

// recoverable says why there is nothing to recover, or no way to.
func recoverable(ob *observe.Observation, how Recovery) error {
	target := ob.Have.Hosts[how.At]
	switch {
	case ob.Have.Conflict != "":
		return errors.New(ob.Have.Conflict)
	case ob.Have.Quorum("") && !how.Whole:
		return ErrQuorum
	case ob.Shared == nil:
		return errors.New("no control plane that holds the cluster's keys can be reached")
	case !target.Up():
		return fmt.Errorf("%s does not answer: %s", how.At, target.Reached.Why())
	case target.Obstacle.Or("") != "":
		return fmt.Errorf("%s: %s", how.At, target.Obstacle.Or(""))
	}
	return nil
}

// superseded are the ids of all clusters that there were, up to this one.
func superseded(ob *observe.Observation) []string {
	past := ob.Superseded()
	for _, id := range ob.IDs() {
		if of := ob.Facts[id].DataOf; of != "" {
			past = append(past, of)
		}
	}
	slices.Sort(past)
	return slices.Compact(past)
}

func (r *recovering) on(id model.HostID) host.Host { return r.observer.Hosts[id] }

func (r *recovering) at() layout.Layout { return r.ob.Goal.Layout }

func (r *recovering) stop(services ...model.Component) func(context.Context, model.HostID) error {
	return func(ctx context.Context, id model.HostID) error {
		return step.StopServices(ctx, r.on(id), r.at(), services...)
	}
}

// get brings the snapshot onto the host, if one can be had before etcd stops.
func (r *recovering) get(ctx context.Context, id model.HostID) error {
	switch {
	case r.File != "":
		if err := send(ctx, r.on(id), r.File, r.at().Own.Restore); err != nil {
			return err
		}
	case r.From != "":
		// A copy: the one that is saved below may push it out.
		if _, err := r.on(id).Run(ctx, host.Cmd{Args: []string{"install", "-m", "600", "--", r.From, r.at().Own.Restore}, Unit: "etcd-replay"}); err != nil {
			return err
		}
	case r.live:
		snap, err := etcd.SaveSnapshot(ctx, r.on(id), r.at())
		if err != nil { // its log is read when it has stopped
			r.tell(Event{Kind: Note, Text: err.Error()})
			r.live = false
		}
		r.restore.Snapshot = snap.Path
		return nil
	default:
		return nil
	}
	r.snapshotBefore(ctx, r.ob)
	return nil
}

// fence keeps all others of the old cluster out of the new etcd: those that are
// silent now may come back at any time. Apply lets them in, one by one. A host
// without a working nft must not stay without etcd for that.
func (r *recovering) fence(ctx context.Context, id model.HostID) error {
	err := step.PutFence(ctx, r.on(id), r.at(), outside(r.ob, r.At))
	if err == nil || errors.Is(err, host.ErrUnreachable) || ctx.Err() != nil {
		return err
	}
	r.tell(Event{Kind: Note, Text: fmt.Sprintf("the old hosts cannot be kept from the new etcd (%v): leave those off that are off until apply can be run right after they start", err)})
	return nil
}

// outside are the addresses of all who had to do with etcd, but of one host.
func outside(ob *observe.Observation, at model.HostID) (addresses []string) {
	own := ob.Facts[at].Addresses
	add := func(a string) {
		if a != "" && !slices.Contains(own, a) && !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	for _, id := range ob.Have.Critical() {
		if h, named := ob.Goal.Hosts[id]; named {
			add(h.Node.Address)
		}
		for _, peer := range ob.Etcd.Members[id].PeerURLs {
			if u, err := url.Parse(peer); err == nil {
				add(u.Hostname())
			}
		}
	}
	return addresses
}

// begin puts the data in place.
func (r *recovering) begin(ctx context.Context, id model.HostID) (err error) {
	if r.From == "" && r.File == "" && !r.live {
		r.restore.Snapshot = r.at().Own.Restore
		if r.restore.Bare, err = step.SaveStopped(ctx, r.on(id), r.at(), r.restore.Member); err != nil {
			return err
		}
		if r.restore.Bare {
			r.tell(Event{Kind: Note, Text: fmt.Sprintf("%s: etcd does not come up with this data, so the bare database is taken: the last writes before it stopped may be missing", id)})
		}
	}
	at, err := step.RestoreEtcd(ctx, r.on(id), r.at(), r.restore)
	if err == nil && at != "" {
		r.tell(kept(id, "etcd data", at))
	}
	return err
}

// start waits until etcd serves.
func (r *recovering) start(ctx context.Context, id model.HostID) error {
	if err := step.StartEtcd(ctx, r.on(id), r.at()); err != nil {
		return err
	}
	for {
		ob, err := r.observer.Look(ctx, id)
		if err != nil {
			return err
		}
		if ob.Facts[id].EtcdHealth && ob.Etcd.Status[id].Revision > 0 {
			r.revision = ob.Etcd.Status[id].Revision
			_, _ = r.on(id).Run(ctx, host.Cmd{Args: []string{"rm", "-f", r.at().Own.Restore}}) // in nobody's way
			return nil
		}
		if err := pause(ctx, pollEvery); err != nil {
			return fmt.Errorf("etcd does not serve: %w; see journalctl -u etcd there", err)
		}
	}
}

// snapshotBefore saves what is now, if any member can give it, before older
// data takes its place.
func (e *Engine) snapshotBefore(ctx context.Context, ob *observe.Observation) {
	var ask []model.HostID
	for _, id := range ob.IDs() {
		if s, ok := ob.Etcd.Status[id]; ok && s.IsLeader() {
			ask = append([]model.HostID{id}, ask...)
		} else if ok {
			ask = append(ask, id)
		}
	}
	for _, id := range ask {
		snap, err := etcd.SaveSnapshot(ctx, e.observer.Hosts[id], ob.Goal.Layout)
		if err == nil {
			e.tell(kept(id, fmt.Sprintf("etcd data (%s)", snap), snap.Path))
			return
		}
		e.tell(Event{Kind: Note, Text: err.Error()})
	}
}

// send brings a snapshot onto a host.
func send(ctx context.Context, h host.Host, file, to string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err != nil {
		return err
	}
	_, err = h.Upload(ctx, host.Blob{Path: file, SHA256: hex.EncodeToString(sum.Sum(nil)), Size: n, Mode: 0o600}, to)
	return err
}
