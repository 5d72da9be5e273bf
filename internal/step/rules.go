package step

import (
	"maps"
	"slices"

	"quorate.dev/quorate/internal/addon"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// Rules propose the steps, best first. What really must come before what is
// said by the steps' own needs.
func Rules() []plan.Rule {
	return []plan.Rule{recoverEtcd, unlessRecovering(firstChange(hosts(prepare), createCAs, hosts(keys), unfence, learn, hosts(member),
		hosts(reachEndpoint),
		uploadedFirst(hosts(run)), hosts(pointAdmin), hosts(pointKubelet), addons, restartProxies, hosts(retire), hosts(retireShared),
		hosts(configureNode), afterRecovery, leave, forget))}
}

// hosts makes a rule of what one wanted host needs.
func hosts(one func(have *model.Host, at on, c model.Cluster) []plan.Step) plan.Rule {
	return func(have, want model.Cluster) []plan.Step {
		var out []plan.Step
		var h model.Host
		for _, id := range want.Order() {
			h = have.Hosts[id]
			if w := want.At(id); !demoted(&h, w) { // who is leaves first
				out = append(out, one(&h, on{id, w}, have)...)
			}
		}
		return out
	}
}

func prepare(have *model.Host, at on, _ model.Cluster) (out []plan.Step) {
	if !have.Packages.Is(model.Set[string]{}) {
		out = append(out, Packages{at})
	}
	if !model.Same(have.System, at.Want.System) {
		out = append(out, System{at})
	}
	if !model.Same(have.Binaries, at.Want.Binaries) {
		why := ""
		if have.Binaries.Known() {
			why = have.Binaries.Why()
		}
		out = append(out, Binaries{at, why})
	}
	return out
}

// createCAs proposes one host to make the keys on: the first that can be used.
func createCAs(have, want model.Cluster) []plan.Step {
	if have.CAsCreated.Is(true) {
		return nil
	}
	var last plan.Step
	for _, id := range want.Critical() {
		if !want.Hosts[id].Roles.Has(model.ControlPlane) {
			continue
		}
		s := CreateCAs{hostOf(want, id)}
		if s.Need(have) == nil {
			return []plan.Step{s}
		}
		if last == nil {
			last = s
		}
	}
	if last == nil {
		return nil
	}
	return []plan.Step{last}
}

func keys(have *model.Host, at on, c model.Cluster) (out []plan.Step) {
	if c.CAsCreated.Is(true) && !model.Same(have.Keys, at.Want.Keys) {
		out = append(out, CopyKeys{at})
	}
	if !model.Same(have.Certs, at.Want.Certs) {
		out = append(out, Certs{at, have.Certs.Why()})
	} else if showsOther(have) {
		out = append(out, Certs{at, "its API server shows an older one"})
	}
	return out
}

func member(have *model.Host, at on, c model.Cluster) []plan.Step {
	if !at.Want.Roles.Has(model.EtcdHost) || !c.Bootstrapped() {
		return nil
	}
	m, known := have.Etcd.Member.Get()
	data, seen := have.Etcd.Data.Get()
	switch {
	case !known || !seen:
		return nil
	case m == model.Voter && !data, m == model.Unstarted && !data && have.Etcd.Bootstrapped.Is(true):
		return []plan.Step{RemoveMember{at, "its data is gone; an empty member must rejoin as a learner"}}
	case m != model.NoMember && have.Etcd.DataLost:
		return []plan.Step{RemoveMember{at, "part of its log is lost; it rejoins as a learner"}}
	case m == model.NoMember && data:
		return []plan.Step{SetAside{at}}
	case m == model.NoMember && !have.Etcd.Bootstrapped.Is(true):
		return []plan.Step{MarkJoining{at}}
	case m == model.NoMember:
		return []plan.Step{AddLearner{at}}
	case m == model.Learner:
		return []plan.Step{Promote{at}}
	}
	return nil
}

// run groups the services that differ: those of a group that can go now go in
// one step; if none can, the first one's need is what is said.
func run(have *model.Host, at on, c model.Cluster) (out []plan.Step) {
	if !model.Same(have.Images, at.Want.Images) {
		step := Images{on: at}
		if !have.Images.Known() {
			step.unknown = have.Images.Why()
		}
		out = append(out, step)
	}
	for g := range numGroups {
		var ready, not []model.Component
		for v := range model.NumComponents {
			if table[v].group != g || at.Want.Components[v].Disk.Or("") == "" || fits(have, at.Want, v) {
				continue
			}
			if (Run{on: at, Set: []model.Component{v}}).Need(c) == nil {
				ready = append(ready, v)
			} else {
				not = append(not, v)
			}
		}
		if len(ready) == 0 && len(not) > 0 {
			ready = not[:1]
		}
		if len(ready) > 0 {
			out = append(out, Run{on: at, Set: ready, verb: verbOf(have, at.Want, ready), why: why(have, at.Want, ready),
				rolls: rolls(have, at.Want, ready), moves: moves(have, at.Want, ready)})
		}
	}
	return out
}

// uploadedFirst: a manifest of kubeadm's that is there is changed only after the
// change was uploaded to kubeadm's configuration, as long as its host serves: from
// there a join and an upgrade by hand go on.
func uploadedFirst(rule plan.Rule) plan.Rule {
	return func(have, want model.Cluster) []plan.Step {
		steps := rule(have, want)
		is, wanted := want.Addons[addon.AddonKubeadm]
		if !wanted || have.Addons[addon.AddonKubeadm].Or(model.Installed{}).Digest == "" ||
			model.Same(have.Addons[addon.AddonKubeadm], is) {
			return steps
		}
		serving := have.Serving()
		for i, s := range steps {
			if r, is := s.(Run); is && slices.Contains(serving, r.ID) { // what does not serve is not kept waiting
				r.unsaid = true
				steps[i] = r
			}
		}
		return steps
	}
}

func addons(have, want model.Cluster) (out []plan.Step) {
	through := have.Serving()
	if _, is := want.Addons[addon.AddonKubeadm]; is { // of a host that leaves there is no configuration for kubeadm
		through = slices.DeleteFunc(slices.Clone(through), func(id model.HostID) bool { return want.Hosts[id].Roles == 0 })
	}
	if len(through) == 0 {
		through = want.Critical()
	}
	if len(through) == 0 {
		return nil
	}
	i := 0
	for _, name := range slices.Sorted(maps.Keys(want.Addons)) {
		id := through[i%len(through)]
		switch off := want.Addons[name].Is(model.Installed{}); {
		case off && have.Addons[name].Not(model.Installed{}): // while it is unknown, nothing says that it is there
			out = append(out, RemoveAddon{hostOf(want, id), name})
		case !off && (!model.Same(have.Addons[name], want.Addons[name]) || misleads(name, have.Published, want.Published)):
			digest, names := want.Addons[name].Or(model.Installed{}).Digest, want.Published
			if want.Adopted && !model.Same(have.Addons[name], want.Addons[name]) {
				names = model.Published{} // certificates come first: the endpoint is published when they name it
			}
			out = append(out, Addon{hostOf(want, id), name, digest, whyAddon(have.Addons[name], digest), names})
		default:
			continue
		}
		i++
	}
	return out
}

func configureNode(have *model.Host, at on, _ model.Cluster) []plan.Step {
	ready := !at.Want.Node.Ready.Known() || have.Node.Ready.Is(true)
	if !at.Want.Roles.Node() || have.Node.Configured.Is(true) && ready {
		return nil
	}
	return []plan.Step{ConfigureNode{at}}
}

// demoted says that a host has lost a role whose traces it still bears. It
// leaves as a whole, and comes back as what it is now.
func demoted(have, want *model.Host) bool {
	if !want.Roles.Has(model.ControlPlane) && (have.Keys.Is(model.SharedKeys) || have.Runs(model.APIServer) ||
		have.Components[model.APIServer].Disk.Not("")) {
		return true
	}
	return !want.Roles.Has(model.EtcdHost) && (have.Etcd.Member.Not(model.NoMember) || have.Etcd.Data.Is(true) || have.Runs(model.Etcd))
}

// leave proposes what takes a host out that the file does not name any more,
// or not in that role.
func leave(have, want model.Cluster) (out []plan.Step) {
	for _, id := range have.IDs() {
		h := have.Hosts[id]
		w, wanted := want.Hosts[id]
		if wanted && !demoted(&h, &w) {
			continue
		}
		if wanted && h.Found {
			out = append(out, Clean{hostOf(want, id), want.KeepKeys, true})
			continue
		}
		at := on{ID: id, Want: &model.Host{}}
		if h.Etcd.Member.Is(model.NoMember) && h.Etcd.Data.Is(true) && len(stale(h)) > 0 {
			out = append(out, SetAside{at}) // what its API server serves is old: that ends first
		}
		if at.undrained(h) {
			out = append(out, Drain{at})
		}
		if h.Up() && serves(&h) {
			out = append(out, Stop{at})
		}
		// What is not known now may be known once etcd and the API are back.
		if !h.Etcd.Member.Is(model.NoMember) {
			out = append(out, RemoveMember{at, leaves})
		}
		if !h.Node.Registered.Is(false) {
			out = append(out, DeleteNode{at})
		}
		if !h.Clean.Is(true) {
			out = append(out, Clean{at, want.KeepKeys, h.Found})
		}
	}
	return out
}

// serves says that a component runs that ends when its host leaves.
func serves(h *model.Host) bool {
	for v := range model.NumComponents {
		if !table[v].stays && h.Runs(v) {
			return true
		}
	}
	return false
}
