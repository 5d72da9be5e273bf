package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
)

// longTime bounds the work on one host outside of plans: etcd's data may have to
// be copied to another disk.
const longTime = 15 * time.Minute

// Recovery is how etcd's data comes back: onto one host, from there all others
// join anew.
type Recovery struct {
	At   model.HostID // where the new etcd begins
	From string       // a snapshot there; "": the data of that host's own member
	File string       // a snapshot on this machine, sent there; instead of From
	// Behind is by how much the revision of that data is below the highest known.
	Behind int64
	// Whole allows it while etcd has quorum: going back to an older state.
	Whole bool
}

// ErrQuorum says that there is nothing to recover.
var ErrQuorum = errors.New("etcd has quorum")

// Survey says what data of etcd each host has that can be reached. A host that
// cannot be asked is missing from the first and has its reason in the second.
func (e *Engine) Survey(ctx context.Context, ob *observe.Observation) (map[model.HostID]step.EtcdData, map[model.HostID]error) {
	data, errs := map[model.HostID]step.EtcdData{}, map[model.HostID]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, id := range ob.Have.Critical() {
		h := ob.Have.Hosts[id]
		if !h.Roles.Has(model.EtcdHost) && !h.Etcd.Data.Or(false) {
			continue
		}
		if f := ob.Facts[id]; f.Err != nil {
			errs[id] = f.Err
			continue
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			d, err := step.SurveyEtcd(ctx, e.observer.Hosts[id])
			mu.Lock()
			defer mu.Unlock()
			if data[id] = d; err != nil {
				delete(data, id)
				errs[id] = err
			}
		}()
	}
	wg.Wait()
	return data, errs
}

// PlanRecovered is the plan for what follows a recovery onto a host, on paper:
// nobody else is a member, no API server runs, and nobody is led to the hosts
// that do not answer.
func (e *Engine) PlanRecovered(ob *observe.Observation, at model.HostID) (plan.Plan, error) {
	have := ob.Have.Clone()
	have.Conflict = ""
	var lost []model.HostID
	for _, id := range have.IDs() {
		have.Edit(id, func(h *model.Host) {
			if !h.Up() && h.Roles.Has(model.EtcdHost) {
				lost = append(lost, id)
			}
			for _, v := range []model.Service{model.Etcd, model.APIServer, model.ControllerManager, model.Scheduler} {
				if h.Up() {
					h.Units[v].Running = model.Is("")
				}
			}
			h.Etcd.Member, h.Etcd.Healthy, h.Ready = model.Is(model.NoMember), model.Is(false), model.Is(false)
			if h.Up() {
				h.Asks = model.Is("")
			}
			if h.Roles.Node() { // as the data will say, as far as one can see
				up := h.Runs(model.Kubelet) || !h.Up()
				h.Node = model.NodeState{Registered: model.Is(up), Ready: model.Is(up && h.Up()), Settled: model.Is(up)}
			}
			if id == at {
				h.Units[model.Etcd].Running = ob.Goal.Want.Hosts[id].Units[model.Etcd].Running
				h.Etcd = model.EtcdState{Data: model.Is(true), Begun: model.Is(true), Member: model.Is(model.Voter), Healthy: model.Is(true)}
			}
		})
	}
	goal, err := e.observer.GoalWithout(lost...)
	if err != nil {
		return plan.Plan{}, err
	}
	for name, a := range have.Addons {
		if !a.Known() {
			have.Addons[name] = goal.Want.Addons[name]
		}
	}
	return plan.Make(have, goal.Want, step.Rules()), nil
}

// Recover makes a new etcd cluster of one member and stops all that knows the
// old one, on all hosts that can be reached. It can be repeated after any
// interruption: until the data is swapped on that host the old is there, from
// then on the new. The others join by Apply. It returns the revision of the data.
func (e *Engine) Recover(ctx context.Context, r Recovery) (revision int64, err error) {
	ob, err := e.Look(ctx)
	if err != nil {
		return 0, err
	}
	target := ob.Have.Hosts[r.At]
	switch {
	case ob.Have.Conflict != "":
		return 0, errors.New(ob.Have.Conflict)
	case ob.Have.Quorum("") && !r.Whole:
		return 0, ErrQuorum
	case ob.Shared == nil:
		return 0, errors.New("no control plane that holds the cluster's keys can be reached")
	case !target.Up():
		return 0, fmt.Errorf("%s does not answer: %s", r.At, target.Reached.Why())
	case target.Obstacle.Or("") != "":
		return 0, fmt.Errorf("%s: %s", r.At, target.Obstacle.Or(""))
	}
	var hosts []model.HostID // that know the old cluster
	for _, id := range ob.Have.Critical() {
		if ob.Have.Hosts[id].Up() {
			hosts = append(hosts, id)
		}
	}
	past := ob.Past()
	for _, id := range ob.IDs() {
		if of := ob.Facts[id].DataOf; of != "" {
			past = append(past, of)
		}
	}
	slices.Sort(past)
	past = slices.Compact(past)
	on := func(id model.HostID) host.Host { return e.observer.Hosts[id] }
	n := ob.Goal.Hosts[r.At].Node
	restore := step.Restore{Member: n, Token: ob.Have.Name + "-" + strings.ToLower(rand.Text()), Past: past, Snapshot: step.RestoreFile, Behind: r.Behind}
	_, live := ob.Etcd.Status[r.At] // it serves clients

	const of = 6
	if err := e.onAll(ctx, 1, of, "stop", "stop the API server, controller-manager and scheduler", hosts, func(ctx context.Context, id model.HostID) error {
		return step.StopServices(ctx, on(id), model.ControllerManager, model.Scheduler, model.APIServer)
	}); err != nil {
		return 0, err
	}
	if err := e.onAll(ctx, 2, of, "snapshot", "get the data that is to come back", []model.HostID{r.At}, func(ctx context.Context, id model.HostID) error {
		switch {
		case r.File != "":
			return send(ctx, on(id), r.File)
		case r.From != "":
			// A copy: the one that is saved below may push it out.
			_, err := on(id).Run(ctx, host.Cmd{Args: []string{"install", "-m", "600", "--", r.From, step.RestoreFile}, Unit: "etcd-replay"})
			return err
		case live:
			snap, err := etcd.SaveSnapshot(ctx, on(id))
			if err != nil { // its log is read when it has stopped
				e.tell(Event{Kind: Note, Text: err.Error()})
				live = false
			}
			restore.Snapshot = snap.Path
		}
		return nil
	}); err != nil {
		return 0, err
	}
	if r.From != "" || r.File != "" {
		e.snapshotBefore(ctx, ob)
	}
	if err := e.onAll(ctx, 3, of, "stop", "stop etcd", hosts, func(ctx context.Context, id model.HostID) error {
		return step.StopServices(ctx, on(id), model.Etcd)
	}); err != nil {
		return 0, err
	}
	if err := e.onAll(ctx, 4, of, "restore", "begin a new etcd cluster from the data", []model.HostID{r.At}, func(ctx context.Context, id model.HostID) (err error) {
		if r.From == "" && r.File == "" && !live {
			restore.Snapshot = step.RestoreFile
			if restore.Bare, err = step.SaveStopped(ctx, on(id), n); err != nil {
				return err
			}
			if restore.Bare {
				e.tell(Event{Kind: Note, Text: fmt.Sprintf("%s: etcd does not come up with this data, so the bare database is taken: the last writes before it stopped may be missing", id)})
			}
		}
		kept, err := step.RestoreEtcd(ctx, on(id), restore)
		if err == nil && kept != "" {
			e.tell(Event{Kind: Note, Text: fmt.Sprintf("%s: the old etcd data is kept at %s", id, kept)})
		}
		return err
	}); err != nil {
		return 0, err
	}
	others := slices.DeleteFunc(slices.Clone(hosts), func(id model.HostID) bool { return id == r.At })
	if err := e.onAll(ctx, 5, of, "supersede", "remember that the old etcd cluster is superseded", others, func(ctx context.Context, id model.HostID) error {
		return step.RecordPast(ctx, on(id), past...)
	}); err != nil {
		return 0, err
	}
	err = e.onAll(ctx, 6, of, "start", "start etcd as the only member", []model.HostID{r.At}, func(ctx context.Context, id model.HostID) error {
		if err := step.StartEtcd(ctx, on(id)); err != nil {
			return err
		}
		for {
			if ob, err = e.observer.Look(ctx, id); err != nil {
				return err
			}
			if ob.Facts[id].EtcdHealth && ob.Etcd.Status[id].Revision > 0 {
				revision = ob.Etcd.Status[id].Revision
				_, _ = on(id).Run(ctx, host.Cmd{Args: []string{"rm", "-f", step.RestoreFile}}) // in nobody's way
				return nil
			}
			if err := pause(ctx, pollEvery); err != nil {
				return fmt.Errorf("etcd does not serve: %w; see journalctl -u etcd there", err)
			}
		}
	})
	return revision, err
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
		snap, err := etcd.SaveSnapshot(ctx, e.observer.Hosts[id])
		if err == nil {
			e.tell(Event{Kind: Note, Text: fmt.Sprintf("%s: what etcd held until now is kept at %s (%s)", id, snap.Path, snap)})
			return
		}
		e.tell(Event{Kind: Note, Text: err.Error()})
	}
}

// send brings a snapshot onto a host.
func send(ctx context.Context, h host.Host, file string) error {
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
	_, err = h.Upload(ctx, host.Blob{Path: file, SHA256: hex.EncodeToString(sum.Sum(nil)), Size: n, Mode: 0o600}, step.RestoreFile)
	return err
}

// onAll does one thing on some hosts side by side, as a stage of its own. A host
// that fails does not keep the others from it.
func (e *Engine) onAll(ctx context.Context, stage, of int, kind, title string, ids []model.HostID, do func(context.Context, model.HostID) error) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := map[model.HostID]error{}
	e.tell(Event{Kind: StageRun, Stage: stage, Of: of})
	for _, id := range ids {
		about := plan.About{Kind: kind, Host: id, Title: title, Final: kind == "reset"}
		e.tell(Event{Kind: StepRun, Step: &about, Text: about.Title})
		begun := time.Now()
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx, cancel := context.WithTimeout(ctx, longTime)
			defer cancel()
			err := do(ctx, id)
			if err == nil {
				e.tell(Event{Kind: StepDone, Step: &about, Took: time.Since(begun)})
				return
			}
			e.tell(Event{Kind: StepFail, Step: &about, Took: time.Since(begun), Err: err.Error()})
			mu.Lock()
			defer mu.Unlock()
			failed[id] = err
		}()
	}
	wg.Wait()
	if len(failed) > 0 {
		return Unfinished{"failed to " + title, failed, len(ids)}
	}
	return nil
}
