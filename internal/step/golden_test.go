package step_test

import (
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/step"
	"quorate.dev/quorate/internal/step/steptest"
)

// scene is a state and a goal. made are the hosts of the running cluster, file
// those of the cluster file; "cp1 cp2|w1" is control planes and workers. Lines
// of then are what has happened: "dead cp3", "stopped cp3 etcd", …
type scene struct {
	name, made, file string
	then             []string
	risk             plan.Risk
	was, ways        steptest.Ways // of made, and of file
	pods             bool          // etcd and the API server are static pods
	adopted          bool          // others have made the hosts of made
}

var scenes = []scene{
	{name: "create", file: "cp1 cp2 cp3|w1 w2"},
	{name: "create-one", file: "cp1|"},
	{name: "create-unreached", file: "cp1 cp2 cp3|w1 w2", then: []string{"dead cp3"}},
	{name: "create-lost-one", file: "cp1 cp2 cp3|w1 w2", then: []string{"stages 2", "dead cp3"}},
	{name: "create-lost-two", file: "cp1 cp2 cp3|w1 w2", then: []string{"stages 2", "dead cp2 cp3"}},
	{name: "create-foreign", file: "cp1 cp2 cp3|w1", then: []string{"foreign cp2"}},
	{name: "create-lost-worker", file: "cp1 cp2 cp3|w1 w2", then: []string{"dead w2"}},
	{name: "convert-1-to-3", made: "cp1|w1 w2", file: "cp1 cp2 cp3|w1 w2", risk: plan.Exposed},
	{name: "convert-first-lost", made: "cp1|w1", file: "cp1 cp2 cp3|w1", then: []string{"stages 2", "dead cp1"}},
	{name: "convert-worker", made: "cp1|w1 w2", file: "cp1 w1 w2|", risk: plan.Exposed},
	{name: "demote", made: "cp1 cp2 cp3|w1", file: "cp1|cp2 cp3 w1", risk: plan.Exposed},
	{name: "grow-3-to-5", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3 cp4 cp5|w1"},
	{name: "grow-new-one-dead", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3 cp4 cp5|w1", then: []string{"dead cp5"}},
	{name: "grow-workers", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1 w2 w3"},
	{name: "shrink-5-to-3", made: "cp1 cp2 cp3 cp4 cp5|w1", file: "cp1 cp2 cp3|w1", risk: plan.Exposed},
	{name: "shrink-3-to-1", made: "cp1 cp2 cp3|w1", file: "cp1|w1", risk: plan.Exposed},
	{name: "shrink-workers", made: "cp1 cp2 cp3|w1 w2", file: "cp1 cp2 cp3|w1"},
	{name: "replace-live", made: "cp1 cp2 cp3|w1 w2", file: "cp1 cp2 cp4|w1 w2"},
	{name: "replace-dead", made: "cp1 cp2 cp3|w1 w2", file: "cp1 cp2 cp4|w1 w2", then: []string{"dead cp3"}},
	{name: "move-1", made: "cp1|w1", file: "cp2|w1", risk: plan.Exposed},
	{name: "heal-stopped-etcd", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"stopped cp3 etcd"}},
	{name: "heal-stopped-all", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1",
		then: []string{"stopped cp1 *", "stopped cp2 *", "stopped cp3 *"}},
	{name: "heal-stopped-all-and-shrink", made: "cp1 cp2 cp3 cp4|w1 w2", file: "cp1 cp2 cp3|w1",
		then: []string{"stopped cp1 *", "stopped cp2 *", "stopped cp3 *", "stopped cp4 *"}, risk: plan.Exposed},
	{name: "heal-wiped-member", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"wiped cp3"}},
	{name: "heal-lost-log", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"lostlog cp3"}},
	{name: "heal-lost-log-of-two", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"lostlog cp2", "lostlog cp3"}},
	{name: "heal-reinstalled", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"reinstalled cp3"}},
	{name: "heal-wiped-only-member", made: "cp1|w1", file: "cp1|w1", then: []string{"wiped cp1"}},
	{name: "heal-changed-file", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"disk cp2 kube-apiserver", "disk w1 kubelet"}},
	{name: "heal-ghost", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"ghost old1"}},
	{name: "addon-off", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"addon metrics-server"}},
	{name: "certificates", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"certs cp2"}},
	{name: "restart-etcd", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1",
		then: []string{"running cp1 etcd", "running cp2 etcd", "running cp3 etcd"}, risk: plan.Exposed},
	{name: "restart-etcd-of-1", made: "cp1|w1", file: "cp1|w1", then: []string{"running cp1 etcd"}, risk: plan.Outage},
	{name: "restart-api-of-1", made: "cp1|w1", file: "cp1|w1", then: []string{"running cp1 kube-apiserver"}, risk: plan.Outage},
	{name: "restart-api", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1",
		then: []string{"running cp1 kube-apiserver", "running cp2 kube-apiserver", "running cp3 kube-apiserver"}},
	{name: "removed-and-dead", made: "cp1 cp2 cp3|w1 w2", file: "cp1 cp2 cp3|w1", then: []string{"dead w2"}},
	{name: "removed-cp-and-dead", made: "cp1 cp2 cp3 cp4 cp5|w1", file: "cp1 cp2 cp3|w1", then: []string{"dead cp5"}, risk: plan.Exposed},
	{name: "one-dead", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"dead cp3"}},
	{name: "dead-and-stopped", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"dead cp3", "stopped cp2 kube-apiserver"}},
	{name: "quorum-lost", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"dead cp2 cp3"}},
	{name: "quorum-lost-shrink", made: "cp1 cp2 cp3|w1", file: "cp1|w1", then: []string{"dead cp2 cp3"}},
	{name: "superseded", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"recovered cp1"}, risk: plan.Exposed},
	{name: "superseded-one-dead", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"recovered cp1", "dead cp3"},
		risk: plan.Exposed},
	{name: "superseded-and-left", made: "cp1 cp2 cp3|w1", file: "cp1 cp4|w1", then: []string{"recovered cp1"}, risk: plan.Exposed},
	{name: "silent-etcd", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1",
		then: []string{"silent cp1 cp3", "silent cp2 cp3", "silent cp3 cp1 cp2", "unhealthy cp3", "loops cp1 kube-scheduler"}},
	{name: "silent-etcd-one-serves", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1",
		then: []string{"silent cp1 cp3", "silent cp3 cp1 cp2", "unhealthy cp3"}},
	{name: "hanging-etcd", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1",
		then: []string{"silent cp1 cp3", "silent cp2 cp3", "silent cp3 cp3", "unhealthy cp3"}},
	{name: "restart-while-nothing-serves", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1",
		then: []string{"silent cp1", "silent cp2", "silent cp3", "running cp1 kube-apiserver", "running cp2 kube-apiserver",
			"running cp3 kube-apiserver"}, risk: plan.Exposed},
	{name: "version-changed", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3 cp4|w1",
		then: []string{"version cp1", "version cp2", "version cp3", "version w1"}},
	{name: "version-changed-one-dead", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1",
		then: []string{"version cp1", "version cp2", "version cp3", "version w1", "dead cp3"}},
	{name: "version-of-installed-only", file: "cp1|", then: []string{"programs cp1"}},
	{name: "fixed-create", file: "cp1|w1", ways: steptest.Fixed},
	{name: "fixed-grow", made: "cp1|w1", file: "cp1 cp2 cp3|w1", was: steptest.Fixed, ways: steptest.Fixed, risk: plan.Outage},
	{name: "fixed-restart-other", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", was: steptest.Fixed, ways: steptest.Fixed,
		then: []string{"running cp2 kube-apiserver"}},
	{name: "fixed-dead", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", was: steptest.Fixed, ways: steptest.Fixed,
		then: []string{"dead cp1", "stopped w1 kubelet"}},
	{name: "fixed-to-local", made: "cp1|w1 w2", file: "cp1|w1 w2", was: steptest.Fixed},
	{name: "local-to-fixed", made: "cp1|w1", file: "cp1|w1", ways: steptest.Fixed},
	{name: "shared-grow", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3 cp4 cp5|lb1 lb2 w1", was: steptest.Shared, ways: steptest.Shared},
	{name: "shared-restart-api", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|lb1 lb2 w1", was: steptest.Shared,
		ways: steptest.Shared, then: []string{"running cp1 kube-apiserver", "running cp2 kube-apiserver"}},
	{name: "shared-carrier-dead", made: "cp1 cp2 cp3|lb1 lb2 w1", file: "cp1 cp2 cp3|lb1 lb2 w1", was: steptest.Shared,
		ways: steptest.Shared, then: []string{"dead lb1", "running cp1 kube-apiserver"}},
	{name: "outside-create", file: "cp1 cp2 cp3|w1", ways: steptest.Outside},
	{name: "balanced-create", file: "cp1 cp2 cp3|w1", ways: steptest.Balanced},
	{name: "balanced-grow", made: "cp1|w1", file: "cp1 cp2 cp3|w1", was: steptest.Balanced, ways: steptest.Balanced, risk: plan.Exposed},
	{name: "balanced-shrink", made: "cp1 cp2 cp3|w1", file: "cp1|w1", was: steptest.Balanced, ways: steptest.Balanced, risk: plan.Exposed},
	{name: "balanced-replace-dead", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp4|w1", was: steptest.Balanced, ways: steptest.Balanced,
		then: []string{"dead cp3"}},
	{name: "builtin-create", file: "cp1 cp2 cp3|w1", ways: steptest.Builtin},
	{name: "builtin-switch", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", ways: steptest.Builtin},
	{name: "builtin-switch-of-1", made: "cp1|w1", file: "cp1|w1", ways: steptest.Builtin, risk: plan.Outage},
	{name: "builtin-switch-back", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", was: steptest.Builtin},
	{name: "builtin-grow", made: "cp1|w1", file: "cp1 cp2 cp3|w1", was: steptest.Builtin, ways: steptest.Builtin, risk: plan.Exposed},
	{name: "builtin-shrink", made: "cp1 cp2 cp3|w1", file: "cp1|w1", was: steptest.Builtin, ways: steptest.Builtin, risk: plan.Exposed},
	{name: "builtin-replace-dead", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp4|w1", was: steptest.Builtin, ways: steptest.Builtin,
		then: []string{"dead cp3"}},
	{name: "builtin-superseded", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", was: steptest.Builtin, ways: steptest.Builtin,
		then: []string{"recovered cp1"}, risk: plan.Exposed},
	{name: "outside-grow", made: "cp1|w1", file: "cp1 cp2 cp3|w1 w2", was: steptest.Outside, ways: steptest.Outside, risk: plan.Outage},
	{name: "local-to-balanced", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", ways: steptest.Balanced},
	{name: "pods-create", file: "cp1 cp2 cp3|w1", pods: true},
	{name: "pods-grow-1-to-3", made: "cp1|w1", file: "cp1 cp2 cp3|w1", pods: true, risk: plan.Exposed},
	{name: "pods-restart-api", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp3|w1", then: []string{"running cp1 kube-apiserver"}, pods: true},
	{name: "kubeadm-create", file: "cp1 cp2 cp3|w1", ways: steptest.Kubeadm},
	{name: "kubeadm-grow", made: "cp1|w1", file: "cp1 cp2 cp3|w1", was: steptest.Kubeadm, ways: steptest.Kubeadm, risk: plan.Exposed},
	{name: "kubeadm-shrink", made: "cp1 cp2 cp3|w1", file: "cp1|w1", was: steptest.Kubeadm, ways: steptest.Kubeadm, risk: plan.Exposed},
	{name: "kubeadm-replace-dead", made: "cp1 cp2 cp3|w1", file: "cp1 cp2 cp4|w1", was: steptest.Kubeadm, ways: steptest.Kubeadm,
		then: []string{"dead cp3"}},
	{name: "kubeadm-fixed-create", file: "cp1|w1", ways: steptest.KubeadmFixed},
	{name: "kubeadm-convert", made: "cp1|w1 w2", file: "cp1 cp2 cp3|w1 w2", was: steptest.KubeadmFixed, ways: steptest.Kubeadm,
		risk: plan.Exposed},
	{name: "kubeadm-convert-new-one-dead", made: "cp1|w1", file: "cp1 cp2 cp3|w1", was: steptest.KubeadmFixed, ways: steptest.Kubeadm,
		then: []string{"dead cp3"}, risk: plan.Exposed},
	{name: "fixed-convert", made: "cp1|w1 w2", file: "cp1 cp2 cp3|w1 w2", was: steptest.Fixed, risk: plan.Outage},
	{name: "nothing", made: "cp1 cp2 cp3|w1 w2", file: "cp1 cp2 cp3|w1 w2"},
}

func (s scene) plan() plan.Plan {
	cps, workers, _ := strings.Cut(s.file, "|")
	w := steptest.WantBy(s.ways, cps, workers)
	cps, workers, _ = strings.Cut(s.made, "|")
	c := start(s.was, cps, workers, w)
	if s.pods {
		w, c = pods(w), pods(c)
	}
	if s.adopted {
		c, w = steptest.Adopted(c, w)
	}
	var dead []model.HostID
	for _, line := range s.then {
		dead = append(dead, happens(&c, w, strings.Fields(line))...)
	}
	return plan.Make(observed(c, dead...), w, step.Rules())
}

// editInstalled changes a component that is on the host's disk, or all ("*").
func editInstalled(c *model.Cluster, id model.HostID, name string, change func(h *model.Host, u *model.ComponentState)) {
	c.Edit(id, func(h *model.Host) {
		for v := range model.NumComponents {
			if h.Components[v].Disk.Not("") && (name == "*" || name == v.String()) {
				change(h, &h.Components[v])
			}
		}
	})
}

// happens is one line of a scene.
func happens(c *model.Cluster, w model.Cluster, words []string) (dead []model.HostID) {
	id := model.HostID(words[1])
	edit := func(change func(*model.Host)) { c.Edit(id, change) }
	unit := func(change func(h *model.Host, u *model.ComponentState)) { editInstalled(c, id, words[2], change) }
	switch words[0] {
	case "dead":
		for _, d := range words[1:] {
			dead = append(dead, model.HostID(d))
		}
	case "stages": // this many of the plan are done
		p := plan.Make(*c, w, step.Rules())
		*c = p.Stages[words[1][0]-'1'].After.Clone()
	case "stopped":
		unit(func(h *model.Host, u *model.ComponentState) {
			u.Running = model.Is("")
			switch u {
			case &h.Components[model.Etcd]:
				h.Etcd.Healthy = model.Is(false)
			case &h.Components[model.APIServer]:
				h.Ready = model.Is(false)
			case &h.Components[model.Kubelet]:
				h.Node.Ready = model.Is(false)
			}
		})
	case "wiped":
		edit(func(h *model.Host) {
			h.Etcd.Data, h.Etcd.Healthy = model.Is(false), model.Is(false)
			h.Components[model.Etcd].Running = model.Is("")
		})
	case "lostlog":
		edit(func(h *model.Host) {
			h.Etcd.DataLost, h.Etcd.Healthy = true, model.Is(false)
			h.Components[model.Etcd].Running = model.Is("").Because("is crash-looping")
		})
	case "reinstalled":
		edit(func(h *model.Host) {
			b := bare(h.Roles)
			b.Etcd.Member, b.Node.Registered, b.Node.Configured, b.Node.Drained = h.Etcd.Member, h.Node.Registered, h.Node.Configured, h.Node.Drained
			*h = b
		})
	case "recovered": // onto this host; the others are back, with data of the superseded cluster
		recovered(c, id)
	case "disk":
		unit(func(_ *model.Host, u *model.ComponentState) { u.Disk = model.Is("changed") })
	case "running":
		unit(func(_ *model.Host, u *model.ComponentState) { u.Running = model.Is("older") })
	case "silent": // its API server does not serve, and etcd of others does not answer it
		edit(func(h *model.Host) {
			var set model.HostSet
			for _, o := range words[2:] {
				set = set.With(model.HostID(o))
			}
			h.EtcdSilent, h.Ready = model.Is(set), model.Is(false)
		})
	case "unheld": // no host holds the virtual address
		edit(func(h *model.Host) { h.VIPHeld = model.Is(false) })
	case "unhealthy": // etcd runs there, and does not serve
		edit(func(h *model.Host) { h.Etcd.Healthy = model.Is(false) })
	case "loops":
		unit(func(_ *model.Host, u *model.ComponentState) { u.Running = model.Is("").Because("is crash-looping") })
	case "version": // the file says 1.35.2 and etcd 3.6.6 now
		for v := range model.NumComponents {
			edit(func(h *model.Host) {
				to := w.Hosts[id]
				is, shall := "v1.36.3", "v1.35.2"
				switch {
				case h.Components[v].Running.Is(""), v == model.FrontDoor, v == model.PodNetwork, v == model.Containerd:
					return
				case v == model.Etcd:
					is, shall = "3.6.8", "3.6.6"
				}
				h.Components[v].Version = is
				to.Components[v].Version, to.Components[v].Running = shall, model.Is(shall)
				to.Binaries = model.Is("other")
				w.Put(id, to)
			})
		}
	case "programs": // of another version are installed, and nothing runs yet
		edit(func(h *model.Host) { h.Binaries = model.Is("other") })
	case "certs":
		edit(func(h *model.Host) { h.Certs = model.Invalid(h.Certs.Or(model.Installed{}).Digest) })
	case "foreign":
		edit(func(h *model.Host) { h.Obstacle = model.Is("it runs another Kubernetes (/etc/rancher)") })
	case "addon":
		c.Addons[words[1]] = model.Valid("digest")
	case "ghost":
		h := model.Host{Node: model.NodeState{Registered: model.Is(true)}}
		h.Etcd.Member = model.Is(model.Voter)
		c.Put(id, h)
		dead = append(dead, id)
	default:
		adoptedHappens(c, w, words)
	}
	return dead
}

// recovered makes a host the only member of a new etcd cluster, to which all
// who could be reached are led. The others run with what they had.
func recovered(c *model.Cluster, on model.HostID) {
	for _, id := range c.IDs() {
		c.Edit(id, func(h *model.Host) {
			if id == on {
				var others []model.HostID
				for _, o := range c.Critical() {
					if o != on {
						others = append(others, o)
					}
				}
				h.Etcd.Fenced, h.Etcd.Superseded = model.SetOf(others...), model.SetOf("old")
			}
			builtin := h.Runs(model.Balancer)
			h.EtcdStale = builtin && id != on && h.Roles.Has(model.ControlPlane)
			if id != on && h.Roles.Has(model.ControlPlane) || h.Components[model.APIServer].Running.Not("") && id != on {
				h.Etcd.Member, h.Etcd.Healthy, h.Ready = model.Is(model.NoMember), model.Is(false), model.Is(false)
				h.Node.Ready = model.Is(false)
				return
			}
			h.Backends = model.Is(model.SetOf(on))
			led := []model.Component{model.FrontDoor}
			if builtin {
				led = []model.Component{model.Balancer}
			}
			switch {
			case builtin && id == on:
				h.EtcdBackends = model.Is(model.SetOf(on))
			case id == on:
				h.EtcdVia = model.Is(model.Way{Kind: model.EachDirectly, Backends: model.SetOf(on)})
				led = append(led, model.APIServer)
			}
			for _, v := range led {
				d := model.Is(v.String() + "-" + string(on))
				h.Components[v] = model.ComponentState{Disk: d, Running: d}
			}
		})
	}
}

func TestGolden(t *testing.T) {
	for _, s := range slices.Concat(scenes, sharedScenes, adoptedScenes, outsideScenes) {
		t.Run(s.name, func(t *testing.T) {
			p := s.plan()
			if p.Risk() > s.risk {
				t.Errorf("risk is %v, not %v", p.Risk(), s.risk)
			}
			if p.Text() != s.plan().Text() {
				t.Error("two plans from the same state differ")
			}
			asFound := s.adopted && len(p.Stages) == 0 // marks come with the first change
			if last := p.Last(); len(p.Blocked)+len(p.Deferred) == 0 && !asFound && !satisfied(last, p.Want) {
				t.Errorf("at the end there lacks: %s", missing(last, p.Want))
			}
			by := ""
			if s.was+s.ways != "" {
				by = "ways " + string(s.was) + " → " + string(s.ways) + "; "
			}
			head := "# " + by + "made " + s.made + "; file " + s.file + "; " + strings.Join(s.then, ", ") + "\n"
			golden(t, s.name, head+p.Text())
		})
	}
}
