package step

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/topology"
)

var etcdMember = traits{
	group:   etcdAlone,
	seconds: 10,
	vital:   true,
	stays:   true,
	ready:   Run.etcdReady,
	fits:    func(have, _ *model.Host) bool { return have.Etcd.Healthy.Is(true) },
	wrong:   func(*model.Host) string { return "running, but not serving (no restart)" },
	runs: func(h, _ *model.Host) {
		h.Etcd.Data, h.Etcd.Bootstrapped, h.Etcd.Healthy = model.Is(true), model.Is(true), model.Is(true)
		if !h.Etcd.Member.Is(model.Learner) {
			h.Etcd.Member = model.Is(model.Voter)
		}
	},
	stopped: func(h *model.Host) { h.Etcd.Healthy, h.Etcd.Data = model.Is(false), model.Is(true) },
	once:    Run.bootstrapFile,
}

// etcdReady: a member starts on its own data, as a listed learner, as a member
// that was listed at the cluster's birth and never started, or at that birth.
// An empty member of a living cluster never starts as the voter it was: it
// could not know what it has voted for.
func (s Run) etcdReady(c model.Cluster, h model.Host) error {
	data, known := h.Etcd.Data.Get()
	if !known {
		return fmt.Errorf("could not see whether it has etcd data: %s", h.Etcd.Data.Why())
	}
	member := h.Etcd.Member
	if err := s.silenced(c, h, model.Etcd, h.Etcd.Healthy.Is(true)); err != nil {
		return err
	}
	switch {
	case h.Etcd.DataLost:
		return errors.New("part of its log is lost, so it cannot continue from its data")
	case data && member.Is(model.NoMember) && c.Bootstrapped():
		return errors.New("it has data of a removed member, which must be set aside first")
	case data, member.Is(model.Learner):
		return nil
	case !c.Bootstrapped():
		return s.bootstrapReady(c)
	case member.Is(model.Unstarted) && h.Etcd.Bootstrapped.Is(false):
		return nil
	case !c.Quorum(""):
		return errors.New("etcd has no quorum, and this member has no data: bring another member back, or restore a snapshot")
	}
	return errors.New("it joins as a learner first")
}

// bootstrapReady: the first members start together, as many of them as can be reached;
// who comes later is on the list already.
func (s Run) bootstrapReady(c model.Cluster) error {
	total, there := 0, 0
	var missing []string
	for _, id := range c.Critical() {
		h := c.Hosts[id]
		if !h.Roles.Has(model.EtcdHost) {
			continue
		}
		total++
		if !h.Up() || h.Obstacle.Or("?") != "" {
			missing = append(missing, string(id))
			continue
		}
		there++
		if !h.Certs.Or(model.Installed{}).Valid || h.Binaries.Or("") == "" || s.Want.Components[model.Etcd].Pod && !h.Runs(model.Kubelet) {
			return fmt.Errorf("%s, which starts together with it, is not prepared yet", id)
		}
	}
	if there <= total/2 {
		return fmt.Errorf("only %d of %d etcd hosts can be used, which is no quorum: bring back %s", there, total, strings.Join(missing, ", "))
	}
	return nil
}

// bootstrapFile tells a member without data how to come to life. It lies where a
// reboot takes it away. In a manifest that kubeadm writes that stands itself.
func (s Run) bootstrapFile(ctx context.Context, e Env, h *goal.Host) ([]host.File, error) {
	if e.Have.Hosts[s.ID].Etcd.Data.Is(true) || h.Services[model.Etcd].Made != nil {
		return nil, nil
	}
	state, members, err := s.beginsWith(ctx, e, h)
	if err != nil {
		return nil, err
	}
	return []host.File{etcd.BootstrapFile(e.Goal.Layout.Etcd, state, members)}, nil
}

// beginsWith is how a member without data comes to life: with the others of a
// new cluster, or into the living one as its list has it now.
func (s Run) beginsWith(ctx context.Context, e Env, h *goal.Host) (etcd.State, []topology.Node, error) {
	if !e.Have.Bootstrapped() {
		return etcd.New, e.Goal.Base.EtcdMembers, nil
	}
	if e.Have.Hosts[s.ID].Etcd.Data.Is(true) {
		return etcd.Existing, e.Goal.Base.EtcdMembers, nil // it goes on from its data
	}
	c, err := e.Etcd(ctx)
	if err != nil {
		return "", nil, err
	}
	list, err := c.Members(ctx)
	if err != nil {
		return "", nil, err
	}
	var members []topology.Node
	for _, m := range list {
		name := m.Name
		if slices.Contains(m.PeerURLs, e.Goal.Layout.Etcd.PeerURL(h.Node.Address)) {
			name = h.Node.Name
		}
		for _, u := range m.PeerURLs {
			members = append(members, topology.Node{Name: name, Address: etcd.HostOf(u)})
		}
	}
	return etcd.Existing, members, nil
}
