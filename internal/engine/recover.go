package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/plan"
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
func (e *Engine) Survey(ctx context.Context, ob *observe.Observation) (map[model.HostID]etcd.DiskData, map[model.HostID]error) {
	data, errs := map[model.HostID]etcd.DiskData{}, map[model.HostID]error{}
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
			d, err := etcd.SurveyDisk(ctx, e.observer.Hosts[id], ob.Goal.Layout)
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
	fenced := model.SetOf(slices.DeleteFunc(slices.Clone(have.Critical()), func(id model.HostID) bool { return id == at })...)
	var lost []model.HostID
	for _, id := range have.IDs() {
		have.Edit(id, func(h *model.Host) {
			if !h.Up() && h.Roles.Has(model.EtcdHost) {
				lost = append(lost, id)
			}
			for _, v := range []model.Component{model.Etcd, model.APIServer, model.ControllerManager, model.Scheduler} {
				if h.Up() {
					h.Components[v].Running = model.Is("")
				}
			}
			h.Etcd.Member, h.Etcd.Healthy, h.Ready = model.Is(model.NoMember), model.Is(false), model.Is(false)
			if h.Up() {
				h.EtcdVia = model.Is(model.Way{})
			}
			if h.Roles.Node() { // as the data will say, as far as one can see
				up := h.Runs(model.Kubelet) || !h.Up()
				h.Node = model.NodeState{Registered: model.Is(up), Ready: model.Is(up && h.Up()), Configured: model.Is(up)}
			}
			if id == at {
				h.Components[model.Etcd].Running = ob.Goal.Want.Hosts[id].Components[model.Etcd].Running
				h.Etcd = model.EtcdState{Data: model.Is(true), Bootstrapped: model.Is(true), Member: model.Is(model.Voter), Healthy: model.Is(true), Fenced: fenced}
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
	return plan.Make(have, goal.Want, e.rules), nil
}

// onAll does one thing on some hosts side by side, as a stage of its own. A host
// that fails does not keep the others from it.
func (e *Engine) onAll(ctx context.Context, stage, of int, kind, title string, ids []model.HostID, do func(context.Context, model.HostID) error) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	failed := map[model.HostID]error{}
	e.tell(Event{Kind: StageRun, Stage: stage, Of: of})
	for _, id := range ids {
		about := plan.About{Kind: kind, Host: id, Title: title, Irreversible: kind == "reset"}
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
		return UnfinishedError{"failed to " + title, failed, len(ids)}
	}
	return nil
}
