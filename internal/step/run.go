package step

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
)

// groups are the services that one step may bring up together, in order; etcd
// and the API server stand alone, since the whole cluster depends on them.
var groups = [][]model.Component{
	{model.Containerd, model.FrontDoor, model.PodNetwork},
	{model.Etcd},
	{model.APIServer},
	{model.ControllerManager, model.Scheduler},
	{model.Kubelet, model.KubeProxy},
}

// restarts is how long a restart takes, in seconds: from its stop until it
// serves again, by what was measured on lab hosts of a busy machine.
var restarts = map[model.Component]int{model.Etcd: 10, model.APIServer: 12}

// Run brings services of one host to the wanted configuration and runs them:
// files first, then a start, a restart or a reload, as little as suffices.
type Run struct {
	on
	Set []model.Component
	why string
	// rolls says that a running part of the control plane restarts: one at a
	// time, so that a configuration that does not work harms one only.
	rolls bool
}

// About implements plan.Step.
func (s Run) About() plan.About {
	var names []string
	for _, v := range s.Set {
		names = append(names, v.String())
	}
	about := plan.About{Kind: "run-" + s.Set[0].String(), Host: s.ID, Title: "run " + strings.Join(names, ", "), Why: s.why}
	for _, v := range s.Set {
		about.Seconds = max(about.Seconds, restarts[v])
	}
	if s.rolls {
		about.Exclusive = "restart of the control plane"
	}
	return about
}

// why says what is to be done about some services of a host.
func why(have, want *model.Host, set []model.Component) string {
	var whys []string
	for _, v := range set {
		whys = append(whys, differs(have, have.Components[v], want.Components[v], v))
	}
	slices.Sort(whys)
	return strings.Join(slices.Compact(whys), "; ")
}

func differs(have *model.Host, u, w model.ComponentState, v model.Component) string {
	disk, runs := model.Same(u.Disk, w.Disk), model.Same(u.Running, w.Running)
	switch {
	case u.Disk.Is(""):
		return "not installed"
	case u.Running.Is(""):
		return cmp.Or(u.Running.Why(), "not running")
	case runs && !disk:
		return "file on disk differs (no restart)"
	case !disk:
		return "configuration differs"
	case !runs:
		return "runs with an older configuration"
	case v == model.Etcd, v == model.APIServer && have.Ready.Is(false):
		return "runs, but does not serve"
	case v == model.Kubelet && !have.Node.Registered.Known():
		return "not known to be registered"
	case v == model.Kubelet:
		return "runs, but is not registered"
	}
	return "runs, but does not use what it should"
}

// rolls says whether a step on these services stops what others rely on.
func rolls(have, want *model.Host, set []model.Component) bool {
	return slices.ContainsFunc(set, func(v model.Component) bool {
		return (v == model.Etcd || v == model.APIServer) && have.Runs(v) && !model.Same(have.Components[v].Running, want.Components[v].Running)
	})
}

// Need implements plan.Step.
func (s Run) Need(c model.Cluster) error {
	if err := s.prepared(c); err != nil {
		return err
	}
	for _, v := range s.Set {
		if err := s.ready(c, v); err != nil {
			return err
		}
	}
	return nil
}

// ready is what one service needs before it may start or change.
func (s Run) ready(c model.Cluster, v model.Component) error {
	h := c.Hosts[s.ID]
	if v != model.Containerd && v != model.FrontDoor && v != model.PodNetwork && !model.Same(h.Certs, s.Want.Certs) {
		return errors.New("its certificates are not issued yet")
	}
	switch v {
	case model.Containerd:
		if h.Components[v].Disk.Is("") {
			return s.afterAPI(c)
		}
	case model.Etcd:
		return s.etcdReady(c, h)
	case model.APIServer:
		return s.apiReady(c, h)
	case model.FrontDoor:
		return s.doorReady(c, h)
	case model.ControllerManager, model.Scheduler:
		if !h.Ready.Is(true) || !h.Runs(model.APIServer) {
			return errors.New("its API server is not ready yet")
		}
	case model.Kubelet, model.KubeProxy:
		return s.nodeReady(c, h)
	}
	return nil
}

// afterAPI: while no API server of the cluster answers, a control plane's own
// comes first. Starting a runtime and unpacking images takes CPU and disk from
// etcd's first election and the API server's start, and nothing needs them yet.
func (o on) afterAPI(c model.Cluster) error {
	if o.Want.Roles.Has(model.ControlPlane) && len(c.Serving()) == 0 {
		return errors.New("no API server answers yet, and its own comes first")
	}
	return nil
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
	switch {
	case h.Etcd.DataLost:
		return errors.New("its log is lost in part, so that it cannot go on from its data")
	case data && member.Is(model.NoMember) && c.Bootstrapped():
		return errors.New("it has data of a membership that was taken away; that goes first")
	case data, member.Is(model.Learner):
		return nil
	case !c.Bootstrapped():
		return bootstrapReady(c)
	case member.Is(model.Unstarted) && h.Etcd.Bootstrapped.Is(false):
		return nil
	case !c.Quorum(""):
		return errors.New("etcd has no quorum, and this member has no data: bring another member back, or restore a snapshot")
	}
	return errors.New("it joins as a learner first")
}

// bootstrapReady: the first members start together, as many of them as can be reached;
// who comes later is on the list already.
func bootstrapReady(c model.Cluster) error {
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
		if certs := h.Certs.Or(""); certs == "" || strings.HasSuffix(certs, "!") || h.Binaries.Or("") == "" {
			return fmt.Errorf("%s, which starts together with it, is not prepared yet", id)
		}
	}
	if there <= total/2 {
		return fmt.Errorf("only %d of %d etcd hosts can be used, which is no quorum: bring back %s", there, total, strings.Join(missing, ", "))
	}
	return nil
}

func (s Run) apiReady(c model.Cluster, h model.Host) error {
	if !c.Quorum("") {
		return errors.New("etcd has no quorum yet")
	}
	running := h.Runs(model.APIServer)
	if err := s.keptOut(c); err != nil && !running {
		return err
	}
	for _, id := range model.SetOf(s.Want.EtcdServers.Or("")) {
		e := c.Hosts[id]
		if m, known := e.Etcd.Member.Get(); e.Up() && known && (m == model.Learner || m == model.NoMember) {
			// A learner refuses requests, and the etcd client goes on asking it.
			return fmt.Errorf("the etcd member of %s has no vote yet", id)
		}
		if running && !model.InSet(h.EtcdServers.Or(""), id) && !(e.Etcd.Member.Is(model.Voter) && e.Etcd.Healthy.Is(true)) {
			return notYet(c, id, fmt.Sprintf("the etcd member of %s is not a healthy voter yet", id))
		}
	}
	return nil
}

// doorReady: who already has a working front door gets a new backend only once
// that answers.
func (s Run) doorReady(c model.Cluster, h model.Host) error {
	serving := c.Serving()
	if !h.Runs(model.FrontDoor) || len(serving) == 0 {
		return nil
	}
	if !slices.ContainsFunc(serving, func(id model.HostID) bool { return model.InSet(s.Want.Backends.Or(""), id) }) {
		return fmt.Errorf("none of the API servers that it shall lead to answers (%s)", s.Want.Backends.Or(""))
	}
	// What is taken from behind the door still answers.
	loses := slices.ContainsFunc(serving, func(id model.HostID) bool {
		return model.InSet(h.Backends.Or(""), id) && !model.InSet(s.Want.Backends.Or(""), id)
	})
	for _, id := range model.SetOf(s.Want.Backends.Or("")) {
		b := c.Hosts[id]
		if !model.InSet(h.Backends.Or(""), id) && !(b.Up() && b.Ready.Is(true)) {
			return notYet(c, id, fmt.Sprintf("the API server of %s does not answer yet", id))
		}
		for _, e := range model.SetOf(b.EtcdServers.Or("")) {
			if loses && !c.Hosts[e].Roles.Has(model.EtcdHost) {
				return fmt.Errorf("the API server of %s still uses the etcd of %s, which leaves; it restarts while others stand behind the front doors", id, e)
			}
		}
	}
	return nil
}

func (s Run) nodeReady(c model.Cluster, h model.Host) error {
	if !h.Runs(model.Containerd) {
		return errors.New("containerd does not run there yet")
	}
	if !model.Same(h.Images, s.Want.Images) {
		return errors.New("its images are not imported yet")
	}
	serving := c.Serving()
	if len(serving) == 0 {
		return errors.New("no API server answers yet")
	}
	if !c.Addons["rbac"].Known() || c.Addons["rbac"].Is("") {
		return errors.New("the API does not know yet what a joining node may do")
	}
	if s.Want.Roles.Has(model.ControlPlane) {
		if !slices.Contains(serving, s.ID) {
			return errors.New("its own API server does not answer yet")
		}
	} else if !h.Runs(model.FrontDoor) {
		return errors.New("its front door does not run yet")
	} else if !slices.ContainsFunc(serving, func(id model.HostID) bool { return model.InSet(h.Backends.Or(""), id) }) {
		return errors.New("its front door leads to no API server that answers")
	}
	return nil
}

// Effect implements plan.Step.
func (s Run) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		for _, v := range s.Set {
			h.Components[v] = s.Want.Components[v]
			switch v {
			case model.Etcd:
				h.Etcd.Data, h.Etcd.Bootstrapped, h.Etcd.Healthy = model.Is(true), model.Is(true), model.Is(true)
				if !h.Etcd.Member.Is(model.Learner) {
					h.Etcd.Member = model.Is(model.Voter)
				}
			case model.APIServer:
				h.EtcdServers, h.Ready = s.Want.EtcdServers, model.Is(true)
			case model.FrontDoor:
				h.Backends = s.Want.Backends
			case model.Kubelet:
				h.Node.Registered = model.Is(true)
			}
		}
	})
}

// Interim implements plan.Step.
func (s Run) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		for _, v := range s.Set {
			h.Components[v].Disk = model.Unknown[string]("being written")
			if model.Same(h.Components[v].Running, s.Want.Components[v].Running) {
				continue
			}
			if v == model.FrontDoor && h.Runs(v) {
				continue // reloaded: it never stops to serve
			}
			h.Components[v].Running = model.Is("")
			switch v {
			case model.Etcd:
				h.Etcd.Healthy, h.Etcd.Data = model.Is(false), model.Is(true)
			case model.APIServer:
				h.Ready = model.Is(false)
			}
		}
	})
}
