package step

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/workload"
)

// members is what changes one step at a time, with health between.
const members = "etcd members"

// AddLearner lists a prepared host as a learner: it gets the data without a
// vote, so that nothing depends on it until it has caught up.
type AddLearner struct{ on }

// About implements plan.Step.
func (s AddLearner) About() plan.About {
	return plan.About{Kind: "add-learner", Host: s.ID, Title: "add as etcd learner", Why: "it becomes a voter once it has caught up",
		Exclusive: members}
}

// Need implements plan.Step.
func (s AddLearner) Need(c model.Cluster) error {
	if err := s.prepared(c); err != nil {
		return err
	}
	h := c.Hosts[s.ID]
	switch {
	case !c.Quorum(""):
		return errors.New("etcd has no quorum")
	case !model.Same(h.Certs, s.Want.Certs):
		return errors.New("its certificates have not been issued yet")
	case s.unmarked(c):
		return errors.New("it is not marked as joining yet")
	case !h.Etcd.Data.Is(false):
		return errors.New("its old etcd data must be set aside first")
	}
	if other, ok := c.Learner(); ok && other != s.ID {
		return notYet(c, other, fmt.Sprintf("%s is the learner now; etcd has one at a time", other))
	}
	// etcd adds nobody while a voter is away (etcdserver: mayAddMember, with strict-reconfig-check).
	for _, id := range c.Critical() {
		if v := c.Hosts[id]; v.Etcd.Member.Is(model.Voter) && !(v.Up() && v.Etcd.Healthy.Is(true)) {
			return notYet(c, id, fmt.Sprintf("etcd adds no member while that of %s does not serve", id))
		}
	}
	return s.keptOut(c)
}

// Effect implements plan.Step.
func (s AddLearner) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		if h.Etcd.Member.Or(model.NoMember) == model.NoMember {
			h.Etcd.Member = model.Is(model.Learner)
		}
	})
}

// Interim implements plan.Step.
func (s AddLearner) Interim(c *model.Cluster) { s.Effect(c) }

// Promote gives a caught-up learner its vote.
type Promote struct{ on }

// About implements plan.Step.
func (s Promote) About() plan.About {
	return plan.About{Kind: "promote", Host: s.ID, Title: "promote etcd learner to voter", Exclusive: members}
}

// Need implements plan.Step.
func (s Promote) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	h := c.Hosts[s.ID]
	switch {
	case !h.Etcd.Member.Is(model.Learner):
		return errors.New("it is not a learner")
	case !h.Runs(model.Etcd) || !h.Etcd.Healthy.Is(true):
		return errors.New("it has not caught up yet")
	case !c.Quorum(""):
		return errors.New("etcd has no quorum")
	}
	return nil
}

// Effect implements plan.Step.
func (s Promote) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.Etcd.Member = model.Is(model.Voter) })
}

// Interim implements plan.Step.
func (s Promote) Interim(c *model.Cluster) { s.Effect(c) }

// RemoveMember takes a host off etcd's member list.
type RemoveMember struct {
	on
	why string
}

// About implements plan.Step.
func (s RemoveMember) About() plan.About {
	return plan.About{Kind: "remove-member", Host: s.ID, Title: "remove from etcd", Why: s.why, Exclusive: members}
}

// Need implements plan.Step.
func (s RemoveMember) Need(c model.Cluster) error {
	if c.Conflict != "" {
		return needsOperator(c.Conflict)
	}
	if !c.Quorum("") {
		return errors.New("etcd has no quorum, so that its member list cannot change")
	}
	after := c.Clone()
	if s.Effect(&after); !after.Quorum("") {
		return errors.New("without it etcd would have no quorum; another member must come back or join first")
	}
	if h := c.Hosts[s.ID]; h.Up() && h.Runs(model.APIServer) && s.Want.Roles == 0 {
		return errors.New("its API server is still running")
	}
	if c.Hosts[s.ID].Up() && s.Want.Roles == 0 {
		return s.unused(c)
	}
	return nil // a dead member serves nobody: the sooner it is off the list, the smaller the quorum
}

// Effect implements plan.Step.
func (s RemoveMember) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		h.Etcd.Member = model.Is(model.NoMember)
		if h.Etcd.Healthy.Known() {
			h.Etcd.Healthy = model.Is(false)
		}
	})
}

// Interim implements plan.Step.
func (s RemoveMember) Interim(c *model.Cluster) { s.Effect(c) }

// SetAside stops etcd on a host that is no member and moves its old data out
// of the way; the data is kept. An API server there that does not count as ready
// may serve what that etcd holds, and stops with it: it begins anew, with
// nothing remembered, once the host has joined.
type SetAside struct{ on }

// About implements plan.Step.
func (s SetAside) About() plan.About {
	return plan.About{Kind: "set-aside", Host: s.ID, Title: "set old etcd data aside",
		Why: "it belongs to a removed member; kept under " + layout.Quorate().Kept}
}

// Need implements plan.Step.
func (s SetAside) Need(c model.Cluster) error {
	if err := cmp.Or(s.reach(c), s.markedFirst(c)); err != nil {
		return err
	}
	if !c.Hosts[s.ID].Etcd.Member.Is(model.NoMember) || !c.Quorum("") {
		return errors.New("etcd's members do not confirm that it is not one of them")
	}
	return s.learned(c)
}

// Effect implements plan.Step.
func (s SetAside) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		if !h.Etcd.Data.Is(false) {
			h.Components[model.Etcd].Running = model.Is("") // why it failed goes with its data
		}
		h.Etcd.Data, h.Etcd.Bootstrapped, h.Etcd.Healthy, h.Etcd.DataLost = model.Is(false), model.Is(true), model.Is(false), false
		stopStale(h)
	})
}

// Interim implements plan.Step.
func (s SetAside) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		h.Etcd.Data, h.Etcd.Bootstrapped = model.Unknown[bool]("being moved"), model.Is(true)
		stopStale(h)
	})
}

// stale are the services that SetAside stops besides etcd.
func stale(h model.Host) []model.Component {
	if h.Ready.Is(true) || !h.Runs(model.APIServer) {
		return nil
	}
	return []model.Component{model.APIServer, model.ControllerManager, model.Scheduler}
}

func stopStale(h *model.Host) {
	services := stale(*h)
	for _, v := range append(services, model.Etcd) {
		ended(h, v)
	}
	if len(services) > 0 {
		h.Ready, h.ServesName, h.EtcdVia = model.Is(false), model.Is(false), model.Is(model.Way{})
	}
}

// listed finds the host on etcd's member list as it is now: by its peer address,
// for a member that never started has no name; by its name; or as the one that
// was seen to be its, for who left the file may have neither.
func listed(ctx context.Context, e Env, c *etcd.Client, id model.HostID) (etcd.Member, bool, error) {
	members, err := c.Members(ctx)
	if err != nil {
		return etcd.Member{}, false, err
	}
	h, named := e.Goal.Hosts[id]
	seen, known := e.Listed[id]
	for _, m := range members {
		if named && slices.Contains(m.PeerURLs, e.Goal.Layout.Etcd.PeerURL(h.Node.Address)) || m.Name == string(id) || known && m.ID == seen.ID {
			return m, true, nil
		}
	}
	return etcd.Member{}, false, nil
}

// leader is the host whose member leads.
func leader(ctx context.Context, c *etcd.Client) (model.HostID, error) {
	st, err := c.Status(ctx)
	if err != nil {
		return "", err
	}
	members, err := c.Members(ctx)
	if err != nil {
		return "", err
	}
	for _, m := range members {
		if m.ID == st.Leader {
			return model.HostID(m.Name), nil
		}
	}
	return "", errors.New("etcd has no leader just now")
}

// soon makes of etcd's two ways to say "too early" the engine's.
func soon(err error) error {
	if errors.Is(err, etcd.ErrNotCaughtUp) || errors.Is(err, etcd.ErrNotSettled) {
		return fmt.Errorf("%w: %w", ErrNotYet, err)
	}
	return err
}

// Do implements Action.
func (s AddLearner) Do(ctx context.Context, e Env) error {
	h, err := s.goal(e)
	if err != nil {
		return err
	}
	c, err := e.Etcd(ctx)
	if err != nil {
		return err
	}
	_, err = c.AddLearner(ctx, e.Goal.Layout.Etcd.PeerURL(h.Node.Address))
	return soon(err)
}

// Do implements Action.
func (s Promote) Do(ctx context.Context, e Env) error {
	c, err := e.Etcd(ctx)
	if err != nil {
		return err
	}
	m, there, err := listed(ctx, e, c, s.ID)
	if err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("%s is not on etcd's member list", s.ID)
	}
	return soon(c.Promote(ctx, m.ID))
}

// Do implements Action. A leader hands over first, so that nobody waits for an
// election.
func (s RemoveMember) Do(ctx context.Context, e Env) error {
	c, err := e.Etcd(ctx)
	if err != nil {
		return err
	}
	m, there, err := listed(ctx, e, c, s.ID)
	if err != nil || !there {
		return err
	}
	// Of what is removed there must be a way back.
	at, err := leader(ctx, c)
	if err != nil {
		return err
	}
	on := at
	if voters := stayingVoters(e, s.ID); len(voters) > 0 && !slices.Contains(voters, at) {
		on = voters[0] // what leaves takes its disk along
	}
	h := e.On(on)
	if h == nil {
		return fmt.Errorf("save a snapshot first: %s, whose etcd leads, is not connected", on)
	}
	snap, err := etcd.SaveSnapshot(ctx, h, e.Goal.Layout)
	if err != nil {
		return err
	}
	e.Say("%s: snapshot %s (%s)", on, snap.Path, snap)
	if at == s.ID {
		st, err := c.Status(ctx)
		if err != nil {
			return err
		}
		own, err := e.EtcdOn(ctx, s.ID)
		if err != nil {
			return err
		}
		if err := own.MoveLeader(ctx, st.ID); err != nil {
			return fmt.Errorf("transfer leadership before it is removed: %w", err)
		}
	}
	return soon(c.Remove(ctx, m.ID))
}

// Do implements Action.
func (s SetAside) Do(ctx context.Context, e Env) error {
	at := e.Goal.Layout
	services := []string{at.Unit(model.Etcd)}
	for _, v := range stale(e.Have.Hosts[s.ID]) {
		services = append(services, at.Unit(v))
	}
	kept, err := sh(ctx, e, "set-aside", workload.Script(at, `k=$AT_KEPT/$(date -u +%Y%m%dT%H%M%SZ)
stop_services "$@"
d=$k$AT_ETCD_DATA; mkdir -p -m 700 "$d"
[ -e $AT_ETCD_DATA/member ] && mv $AT_ETCD_DATA/member "$d/"
install -D -m 0644 /dev/null $AT_BOOTSTRAPPED; echo "$d"`), services...)
	if err != nil {
		return said(e.Host, "set old etcd data aside", err)
	}
	e.Keep("etcd data", kept)
	return nil
}
