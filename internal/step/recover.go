package step

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/workload"
)

//go:embed recover.sh
var recoverScript string

// recovering runs a verb of recover.sh. With a unit it goes on when the
// connection is lost, and who repeats it waits for its end.
func recovering(ctx context.Context, e Env, unit, doing, verb string, args ...string) (string, error) {
	out, err := host.Output(ctx, e.Host, host.Script{What: doing, Text: recoverVerbs(e.Goal.Layout, recoverScript),
		Args: append([]string{verb}, args...), Unit: unit})
	return out, said(e.Host, doing, err)
}

// recoverVerbs is recover.sh, which knows where everything lies.
func recoverVerbs(at layout.Layout, text string) string {
	client, server, peer := at.PKI.Leaf(pki.EtcdHealthcheckClient), at.PKI.Leaf(pki.EtcdServer), at.PKI.Leaf(pki.EtcdPeer)
	certs := fmt.Sprintf("CLIENT_CERT=%s CLIENT_KEY=%s SERVER_CERT=%s SERVER_KEY=%s PEER_CERT=%s PEER_KEY=%s\n",
		client.Cert, client.Key, server.Cert, server.Key, peer.Cert, peer.Key)
	return workload.Script(at, certs+text)
}

// said puts the script's own words in the place of its exit status.
func said(h host.Host, doing string, err error) error {
	var exit *host.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && strings.TrimSpace(exit.Stderr) != "":
		return host.Errorf(h.Name(), "%s: %s", doing, strings.TrimSpace(exit.Stderr))
	}
	return host.Errorf(h.Name(), "%s: %w", doing, err)
}

// recovered is what the steps of a recovery have in common.
type recovered struct {
	on
	Recovery model.Recovery
	At       model.HostID // the survivor
}

// chosen is the need of all that follows the choice.
func (s recovered) chosen(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	h := c.Hosts[s.At]
	switch {
	case !h.Up():
		return plan.UnreachedError{Host: s.At, Why: h.Reached.Why()}
	case h.Etcd.Recovery.Chosen.ID != s.Recovery.ID:
		return fmt.Errorf("%s has not recorded the recovery yet", s.At)
	}
	return nil
}

// parties are the hosts that have a part in what a recovery ends.
func parties(c model.Cluster) (ids []model.HostID) {
	for _, id := range c.Critical() {
		if h := c.Hosts[id]; h.IsParty() {
			ids = append(ids, id)
		}
	}
	return ids
}

// still says who still runs one of some services. Once the new data is in place
// the survivor may: its own serve that, also after a reboot.
func (s recovered) still(c model.Cluster, but model.HostID, services ...model.Component) error {
	for _, id := range parties(c) {
		if id == s.At && c.Hosts[id].Etcd.Recovery.InPlace {
			continue
		}
		for _, v := range services {
			if h := c.Hosts[id]; id != but && mayRun(&h, v) {
				return fmt.Errorf("%s still runs on %s", v, id)
			}
		}
	}
	return nil
}

// recoverEtcd proposes what is left of the recovery that is under way.
func recoverEtcd(have, want model.Cluster) (out []plan.Step) {
	r, at, ok := have.Recovering(want)
	if !ok {
		return nil
	}
	step := func(id model.HostID) recovered {
		return recovered{hostOf(want, id), r, at}
	}
	e := have.Hosts[at].Etcd
	if e.Recovery.Aside && e.Recovery.Chosen.ID != r.ID && !e.Recovery.InPlace {
		out = append(out, KeepReplaced{step(at).on})
	}
	if e.Recovery.Chosen.ID != r.ID && !e.Recovery.InPlace {
		out = append(out, ChooseSurvivor{step(at)})
	}
	for _, id := range parties(have) {
		h := have.Hosts[id]
		if id == at && e.Recovery.InPlace {
			continue
		}
		if runsControlPlane(&h) {
			out = append(out, StopControlPlane{step(id)})
		}
		if mayRun(&h, model.Etcd) {
			out = append(out, StopEtcd{step(id), id == at && h.Etcd.Healthy.Is(true)})
		}
	}
	if !e.Recovery.InPlace {
		out = append(out, StageData{step(at)}, PutFence{step(at)}, SwapData{step(at)})
	} else {
		out = append(out, PutFence{step(at)})
	}
	for _, id := range parties(have) {
		if id != at {
			out = append(out, Supersede{step(id)})
		}
	}
	return append(out, StartSurvivor{step(at)}, Supersede{step(at)})
}

// unlessRecovering proposes nothing while a recovery is under way: what the file wants
// comes after it.
func unlessRecovering(rules ...plan.Rule) plan.Rule {
	return func(have, want model.Cluster) (out []plan.Step) {
		if _, _, ok := have.Recovering(want); ok {
			return nil
		}
		for _, rule := range rules {
			out = append(out, rule(have, want)...)
		}
		return out
	}
}

// ChooseSurvivor records on a host that etcd goes on with its data, or with a
// snapshot there, before anything is stopped or set aside: another run goes on
// with the same.
type ChooseSurvivor struct{ recovered }

// About implements plan.Step.
func (s ChooseSurvivor) About() plan.About {
	title := "record that etcd goes on here with the data of its own member"
	if !s.Recovery.Own {
		title = "record that etcd goes on here with a snapshot"
	}
	return plan.About{Kind: "choose-survivor", Host: s.ID, Title: title}
}

// Need implements plan.Step.
func (s ChooseSurvivor) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	if c.Hosts[s.ID].Etcd.Recovery.Aside {
		return errors.New("what an earlier recovery has replaced is not kept yet")
	}
	return nil
}

// Effect implements plan.Step.
func (s ChooseSurvivor) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		if r := &h.Etcd.Recovery; r.Chosen.ID != s.Recovery.ID {
			r.Chosen, r.Staged = s.Recovery, false
		}
	})
}

// Interim implements plan.Step: the record is there or not.
func (s ChooseSurvivor) Interim(*model.Cluster) {}

// Do implements Action.
func (s ChooseSurvivor) Do(ctx context.Context, e Env) error {
	if e.Shared == nil {
		return errNoSigner
	}
	record, err := e.Recovery.Sign(e.Shared.EtcdCA, string(s.ID))
	if err != nil {
		return err
	}
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	// The verb reads what follows the script.
	in := recoverVerbs(e.Goal.Layout, strings.TrimSuffix(recoverScript, "\"$@\"\n")+"choose <<'END'\n"+string(text)+"\nEND\n")
	_, err = host.Output(ctx, e.Host, host.Script{What: "record the recovery", Text: in})
	return said(e.Host, "record the recovery", err)
}

// DropRecovery ends a recovery's record: all who answer have joined, or it was
// given up while nothing had been replaced.
type DropRecovery struct{ on }

// About implements plan.Step.
func (s DropRecovery) About() plan.About {
	return plan.About{Kind: "drop-recovery", Host: s.ID, Title: "remove the record of the recovery",
		Why: "it is complete, or was given up before anything was replaced"}
}

// Need implements plan.Step.
func (s DropRecovery) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	r := c.Hosts[s.ID].Etcd.Recovery
	if !r.IsBinding() {
		return nil
	}
	if r.Aside {
		return errors.New("what it has replaced is not kept yet")
	}
	for _, id := range c.Critical() {
		if h := c.Hosts[id]; h.Up() && h.Roles.Has(model.EtcdHost) && !h.Etcd.Member.Is(model.Voter) {
			return fmt.Errorf("%s has not joined yet", id)
		}
	}
	if len(c.Serving()) == 0 {
		return errors.New("no API server answers yet")
	}
	return nil
}

// Effect implements plan.Step. A fence that no earlier recovery can have put up goes with it.
func (s DropRecovery) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		r := &h.Etcd.Recovery
		if r.Chosen.ID != "" && !r.IsBinding() && h.Etcd.Superseded.IsEmpty() {
			h.Etcd.Fenced, r.Unfenced = model.HostSet{}, false
		}
		if !r.Aside {
			r.Chosen, r.Staged = model.Recovery{}, false
		}
	})
}

// Interim implements plan.Step.
func (s DropRecovery) Interim(*model.Cluster) {}

// Do implements Action.
func (s DropRecovery) Do(ctx context.Context, e Env) error {
	h := e.Have.Hosts[s.ID]
	if !h.Etcd.Recovery.IsBinding() && h.Etcd.Superseded.IsEmpty() {
		if err := writeFence(ctx, e, nil); err != nil {
			return err
		}
	}
	_, err := recovering(ctx, e, "", "remove the record of the recovery", "drop")
	return err
}

// afterRecovery proposes what a recovery leaves to be done beside the others'
// joining, and ends one that was given up.
func afterRecovery(have, want model.Cluster) (out []plan.Step) {
	for _, id := range have.Critical() {
		h := have.Hosts[id]
		if !h.Up() {
			continue
		}
		if h.Etcd.Recovery.Aside && h.Etcd.Data.Is(true) {
			out = append(out, KeepReplaced{hostOf(want, id)})
		}
		if h.Etcd.Recovery.Chosen.ID != "" {
			out = append(out, DropRecovery{hostOf(want, id)})
		}
	}
	return out
}
