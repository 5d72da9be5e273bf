package status

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/workload"
)

var update = flag.Bool("update", false, "write the golden files")

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

var shared = func() pki.Shared {
	s, err := pki.NewShared(pki.Options{Now: func() time.Time { return now.AddDate(0, 0, -100) }})
	if err != nil {
		panic(err)
	}
	return s
}()

func TestText(t *testing.T) {
	for name, change := range map[string]func(*observe.Observation){
		"healthy": func(*observe.Observation) {},
		"one-lost": func(o *observe.Observation) {
			lose(o, "cp2")
			f := o.Facts["w1"]
			f.Services[model.Kubelet] = workload.State{Installed: true, Word: "restarting", Restarting: true, CrashLooping: true, Restarts: 17}
			f.Offset = -4 * time.Second
			n := o.API.Nodes["w1"]
			n.Ready = false
			o.API.Nodes["w1"] = n
			delete(f.Files, o.Goal.Layout.PKI.Leaf(pki.KubeProxyClient).Cert)
			o.Facts["w1"] = f
			o.Have.Edit("w1", func(h *model.Host) { h.Components[model.Kubelet].Running = model.Is("") })
		},
		"left": func(o *observe.Observation) {
			o.API.Departed = []kubeapi.Departed{{Name: "old1"}, {Name: "old2"}}
			lose(o, "old1")
			o.Facts["old2"] = observe.Facts{OS: "Debian"}
			o.Have.Edit("old2", func(h *model.Host) {
				h.Reached, h.Clean, h.Obstacle = model.Is(true), model.Is(false), model.Is("")
			})
		},
		"versions": func(o *observe.Observation) {
			is := func(id model.HostID, v model.Component, version string) {
				u := o.Facts[id].Services[v]
				u.Version = version
				o.Facts[id].Services[v] = u
			}
			is("cp1", model.Etcd, "3.6.6")
			is("cp2", model.Etcd, "3.6.6")
			is("cp3", model.Etcd, "3.6.6")
			is("cp2", model.Kubelet, "v1.35.2")
			is("w1", model.Kubelet, "")
		},
		"silent-etcd": func(o *observe.Observation) {
			o.API = observe.APIView{Err: errors.New("no API server answers")}
			for id, silent := range map[model.HostID]model.HostSet{"cp1": model.SetOf[model.HostID]("cp3"),
				"cp2": model.SetOf[model.HostID]("cp3"), "cp3": model.SetOf[model.HostID]("cp1", "cp2")} {
				f := o.Facts[id]
				f.Readyz = false
				o.Facts[id] = f
				o.Have.Edit(id, func(h *model.Host) {
					h.Ready, h.EtcdSilent, h.Etcd.Healthy = model.Is(false), model.Is(silent), model.Is(id != "cp3")
				})
			}
		},
		"no-quorum": func(o *observe.Observation) {
			lose(o, "cp1")
			lose(o, "cp2")
			o.Etcd.Agreed = false
			o.API = observe.APIView{Err: errors.New("no API server answers")}
			o.Have.Edit("cp3", func(h *model.Host) { h.Etcd.Healthy, h.Ready = model.Is(false), model.Is(false) })
			f := o.Facts["cp3"]
			f.Readyz = false
			o.Facts["cp3"] = f
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := observation(t)
			change(o)
			p := &plan.Plan{Have: o.Have, Want: o.Goal.Want}
			why := ""
			if name == "no-quorum" {
				p, why = nil, "no artefacts here"
			}
			s := Of(o, p, why, now)
			if s.Healthy != (name == "healthy" || name == "left" || name == "versions") {
				t.Errorf("healthy: %v, problems %q", s.Healthy, s.Problems)
			}
			golden(t, name+".txt", s.Text())
			if _, err := json.Marshal(s); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTolerance(t *testing.T) {
	o := observation(t)
	for _, c := range []struct {
		lose []model.HostID
		want string
	}{
		{nil, "tolerates the loss of any one host"},
		{[]model.HostID{"cp1"}, "losing cp2 or cp3 stops etcd"},
		{[]model.HostID{"cp1", "cp2"}, "the control plane is down"},
	} {
		have := o.Have.Clone()
		for _, id := range c.lose {
			have.Edit(id, func(h *model.Host) { h.Reached, h.Etcd.Healthy = model.Unknown[bool]("x"), model.Is(false) })
		}
		if got := tolerance(have, have.Health()); got != c.want {
			t.Errorf("without %v: %q, want %q", c.lose, got, c.want)
		}
	}
}

func lose(o *observe.Observation, id model.HostID) {
	o.Facts[id] = observe.Facts{Err: host.Errorf(string(id), "connect to 10.0.0.12:22: no route to host")}
	o.Have.Edit(id, func(h *model.Host) {
		h.Reached, h.Etcd.Healthy, h.Ready = model.Unknown[bool]("no route to host"), model.Is(false), model.Is(false)
	})
	delete(o.Etcd.Status, id)
}

// observation is of a cluster that is as its file wants it.
func observation(t *testing.T) *observe.Observation {
	t.Helper()
	file, _, err := spec.Parse("prod.yaml", spec.Init("prod"))
	if err != nil {
		t.Fatal(err)
	}
	file.Spec.LoadBalancer.Kind = "nginx" // whatever the default is
	v, err := artifact.Resolve(file.Spec.Kubernetes.Version, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := goal.Build(file, goal.Artifacts{Versions: v}, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &observe.Observation{Facts: map[model.HostID]observe.Facts{}, Goal: g, Have: g.Want.Clone(), Shared: &shared,
		Etcd: observe.EtcdView{Agreed: true, Members: map[model.HostID]etcd.Member{}, Status: map[model.HostID]etcd.Status{}},
		API:  observe.APIView{Nodes: map[model.HostID]kubeapi.NodeStatus{}}}
	for i, id := range g.IDs() {
		f := observe.Facts{OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0", Offset: 3 * time.Millisecond,
			Readyz:   g.Hosts[id].Node.ControlPlane,
			Services: map[model.Component]workload.State{}, Files: map[string][]byte{}}
		for at, s := range g.Hosts[id].Services {
			if s != nil {
				f.Services[model.Component(at)] = workload.State{Installed: true, Boot: "enabled", Word: "active", Up: true, Since: time.Hour,
					Read: s.Stamp(), Version: s.Version}
			}
		}
		for _, c := range g.Hosts[id].Certs {
			pem, _, err := pki.Issue(shared, c, now.AddDate(0, 0, -100))
			if err != nil {
				t.Fatal(err)
			}
			f.Files[c.Path] = pem
		}
		o.Facts[id] = f
		if g.Hosts[id].Node.Etcd {
			m := etcd.Member{ID: 0xa000 + uint64(i), Name: string(id), ClientURLs: []string{"x"}}
			o.Etcd.Members[id] = m
			o.Etcd.Status[id] = etcd.Status{ID: m.ID, Version: "3.6.8", Leader: 0xa002, Term: 4, Index: 1234, DBSize: 5 << 20, DBSizeInUse: 3 << 20}
		}
		o.API.Nodes[id] = kubeapi.NodeStatus{Name: string(id), Ready: true, Version: "v1.36.3", PodCIDR: g.Hosts[id].Node.PodCIDR}
	}
	return o
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		os.MkdirAll("testdata", 0o755)
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%s (-update writes it): %v\n%s", path, err, got)
	}
}

// etcd on its own: who is down and why, alarms by host, and the last line.
func TestEtcd(t *testing.T) {
	for name, change := range map[string]func(*observe.Observation){
		"etcd-healthy": func(*observe.Observation) {},
		"etcd-lost":    func(o *observe.Observation) { lose(o, "cp2") },
		"etcd-alarms": func(o *observe.Observation) {
			for id, st := range o.Etcd.Status {
				st.Alarms = []etcd.Alarm{{Member: o.Etcd.Members["cp3"].ID, Kind: etcd.Corrupt}, {Member: 7, Kind: etcd.NoSpace}}
				o.Etcd.Status[id] = st
			}
			o.Have.Edit("cp1", func(h *model.Host) { h.Etcd.Healthy = model.Is(false) })
		},
		"etcd-learner": func(o *observe.Observation) {
			m := o.Etcd.Members["cp3"]
			m.Learner = true
			o.Etcd.Members["cp3"] = m
			o.Have.Edit("cp3", func(h *model.Host) { h.Etcd.Member = model.Is(model.Learner) })
			o.Etcd.Members["10.0.0.99"] = etcd.Member{ID: 5, PeerURLs: []string{"https://10.0.0.99:2380"}}
			o.Facts["10.0.0.99"] = observe.Facts{Err: errors.New("it is an etcd member that the file does not name")}
			o.Have.Put("10.0.0.99", model.Host{Etcd: model.EtcdState{Member: model.Is(model.Unstarted)}})
		},
		"etcd-unknown": func(o *observe.Observation) {
			lose(o, "cp2")
			f := o.Facts["cp1"]
			f.Services[model.Etcd] = workload.State{Installed: true, Word: "restarting", Restarting: true, CrashLooping: true, Restarts: 9,
				Logs: "journalctl -u etcd"}
			o.Etcd = observe.EtcdView{Err: errors.New("no etcd member answers")}
			for _, id := range []model.HostID{"cp1", "cp3"} {
				o.Have.Edit(id, func(h *model.Host) { h.Etcd.Healthy = model.Is(false) })
			}
		},
	} {
		o := observation(t)
		change(o)
		e := EtcdOf(o)
		golden(t, name+".txt", e.Text()+"\n"+e.MembersText())
		if healthy := len(e.Problems()) == 0; healthy != (name == "etcd-healthy") {
			t.Errorf("%s: %q", name, e.Problems())
		}
	}
}
