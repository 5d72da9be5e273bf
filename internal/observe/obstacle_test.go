package observe

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/workload"
)

// What a machine is, against what the file says it is.
func TestObstacle(t *testing.T) {
	o, _ := observer(t, nil)
	g, err := goal.Build(o.File, o.Artifacts, nil)
	if err != nil {
		t.Fatal(err)
	}
	set := Facts{Arch: "x86_64", Marker: "prod", Named: "cp2", Data: true, Addresses: []string{"192.0.2.2"}, MachineID: "2"}
	bare := Facts{Arch: "x86_64", Addresses: []string{"192.0.2.2"}, MachineID: "2"}
	for name, at := range map[string]struct {
		of     Facts
		change func(*Facts, *Observation)
		says   []string // none: nothing forbids to go on
	}{
		"as it was set up":    {of: set},
		"bare":                {of: bare},
		"its clock is ahead":  {set, func(f *Facts, _ *Observation) { f.Offset = 95 * time.Second }, []string{"clock", "1m35s"}},
		"its clock is behind": {bare, func(f *Facts, _ *Observation) { f.Offset = -31 * time.Second }, []string{"clock", "-31s"}},
		"its clock is good":   {bare, func(f *Facts, _ *Observation) { f.Offset = -29 * time.Second }, nil},
		"another cluster's":   {set, func(f *Facts, _ *Observation) { f.Marker = "test" }, []string{`"test"`, "quorate reset"}},
		"set up as another": {set, func(f *Facts, _ *Observation) { f.Named = "cp9" },
			[]string{"set up as cp9", "call it cp9", "add it as cp2"}},
		"lost its address": {set, func(f *Facts, _ *Observation) { f.Addresses = []string{"192.0.2.77"} },
			[]string{"192.0.2.2", "192.0.2.77", "remove cp2 from the file"}},
		"never had the address": {bare, func(f *Facts, _ *Observation) { f.Addresses = []string{"192.0.2.77"} },
			[]string{"correct internalAddress"}},
		"moved with its data": {set, func(_ *Facts, o *Observation) {
			o.Etcd.Members["cp2"] = etcd.Member{Name: "cp2", PeerURLs: []string{"https://192.0.2.77:2380"}}
		}, []string{"192.0.2.77", "192.0.2.2", "remove cp2 from the file"}},
		"new under the name and another address": {bare, func(_ *Facts, o *Observation) { o.API.Elsewhere["cp2"] = "192.0.2.77" },
			[]string{"192.0.2.77", "another", "quorate forget cp2"}},
		"reached by another address": {set, func(_ *Facts, o *Observation) { o.API.Elsewhere["cp2"] = "cp2.example" }, nil},
		"the machine of another": {bare, func(_ *Facts, o *Observation) { o.Facts["cp1"] = Facts{MachineID: "2"} },
			[]string{"machine-id of cp1"}},
		"the machine of one that left": {bare, func(_ *Facts, o *Observation) { o.Facts["old"] = Facts{MachineID: "2"} },
			[]string{"machine-id of old"}},
		"somebody's data where none should be": {bare, func(f *Facts, _ *Observation) { f.Data = true }, []string{"/var/lib/etcd"}},
	} {
		f := at.of
		ob := &Observation{Facts: map[model.HostID]Facts{}, Etcd: EtcdView{Members: map[model.HostID]etcd.Member{}},
			API: APIView{Elsewhere: map[model.HostID]string{}}}
		if at.change != nil {
			at.change(&f, ob)
		}
		ob.Facts["cp2"] = f
		got := obstacle(g, ob, "cp2", f)
		if got != "" && len(at.says) == 0 {
			t.Errorf("%s: %s", name, got)
		}
		for _, s := range at.says {
			if !strings.Contains(got, s) {
				t.Errorf("%s: nothing about %q in %q", name, s, got)
			}
		}
	}
}

// A worker of others is not made a control plane in place; what was one, and has
// lost something, is healed.
func TestFoundWorkerIsNoControlPlane(t *testing.T) {
	o, _ := observer(t, nil)
	g, err := goal.Build(o.File, o.Artifacts, nil)
	if err != nil {
		t.Fatal(err)
	}
	g.Hosts["cp2"].Found = true
	for name, change := range map[string]func(*Facts){
		"":                     func(*Facts) {},
		"its certificate":      func(f *Facts) { f.Files[g.Layout.PKI.Leaf(pki.APIServer).Cert] = []byte("x") },
		"the CA's key":         func(f *Facts) { f.Files[g.Layout.PKI.CA.Key] = []byte("x") },
		"data of etcd":         func(f *Facts) { f.Data = true },
		"a running API server": func(f *Facts) { f.Services = map[model.Component]workload.State{model.APIServer: {Up: true}} },
	} {
		f := Facts{Arch: "x86_64", Addresses: []string{"192.0.2.2"}, Files: map[string][]byte{}}
		change(&f)
		got := obstacle(g, &Observation{Facts: map[model.HostID]Facts{"cp2": f}}, "cp2", f)
		if refused := strings.Contains(got, "nothing of one is on it"); refused != (name == "") {
			t.Errorf("with %q: %q", name, got)
		}
	}
}

// A machine that the file has under another name is no leaver, and a name at
// another address is told.
func TestCompare(t *testing.T) {
	o, _ := observer(t, nil)
	gone, elsewhere := compare([]kubeapi.Departed{{Name: "old", Address: "192.0.2.9"}, {Name: "cp1", Address: "192.0.2.1"},
		{Name: "renamed", Address: "192.0.2.2"},
		{Name: "cp3", Address: "192.0.2.8"}, {Name: "old", Address: "192.0.2.9"}}, o.File)
	if len(gone) != 1 || gone[0].Name != "old" {
		t.Errorf("gone are %v", gone)
	}
	if len(elsewhere) != 1 || elsewhere["cp3"] != "192.0.2.8" {
		t.Errorf("elsewhere are %v", elsewhere)
	}
}

// Who was taken out of the file and serves another cluster now is gone.
func TestTakenByAnother(t *testing.T) {
	o, _ := observer(t, nil)
	g, err := goal.Build(o.File, o.Artifacts, nil)
	if err != nil {
		t.Fatal(err)
	}
	ob := &Observation{Facts: map[model.HostID]Facts{"old": {Marker: "test", Data: true,
		Links: map[string]string{"/opt/quorate/bin/etcd": "x"}}},
		API: APIView{Departed: []kubeapi.Departed{{Name: "old", Address: "192.0.2.9"}}}}
	if h := assemble(g, ob, time.Now()).Hosts["old"]; h.Up() || !h.Clean.Is(true) {
		t.Errorf("it is up %v, gone %v", h.Reached, h.Clean)
	}
}

// What only others name is seen to be gone when they do not any more.
func TestGhostsAreSeenToGo(t *testing.T) {
	o, _ := observer(t, nil)
	first := &Observation{Facts: map[model.HostID]Facts{}, API: APIView{Nodes: map[model.HostID]kubeapi.NodeStatus{"old7": {}}}}
	o.recall(first)
	later := &Observation{Facts: map[model.HostID]Facts{}}
	o.recall(later)
	if _, there := later.Facts["old7"]; !there {
		t.Fatal("it is forgotten: nobody can say that its node is deleted")
	}
	g, err := goal.Build(o.File, o.Artifacts, nil)
	if err != nil {
		t.Fatal(err)
	}
	if h := assemble(g, later, time.Now()).Hosts["old7"]; !h.Node.Registered.Is(false) || !h.Clean.Is(true) {
		t.Errorf("%+v", h)
	}
}

// The exploit: a worker that copies a machine-id keeps nobody from anything who
// is set up, nor the plan from going on; a new host is left out of it.
func TestCopiedMachineID(t *testing.T) {
	o, _ := observer(t, nil)
	g, err := goal.Build(o.File, o.Artifacts, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]struct {
		cp1, cp2      Facts
		firm, leftOut bool // of cp2
	}{
		"both are set up":    {Facts{MachineID: "2", Marker: "prod"}, Facts{MachineID: "2", Marker: "prod"}, false, false},
		"the other is new":   {Facts{MachineID: "2"}, Facts{MachineID: "2", Marker: "prod"}, false, false},
		"it is new":          {Facts{MachineID: "2", Marker: "prod"}, Facts{MachineID: "2"}, false, true},
		"both are new":       {Facts{MachineID: "2"}, Facts{MachineID: "2"}, true, false},
		"they are not alike": {Facts{MachineID: "1", Marker: "prod"}, Facts{MachineID: "2"}, false, false},
	} {
		at.cp2.Arch, at.cp2.Addresses = "x86_64", []string{"192.0.2.2"}
		ob := &Observation{Goal: g, Facts: map[model.HostID]Facts{"cp1": at.cp1, "cp2": at.cp2}}
		firm, left := obstacle(g, ob, "cp2", at.cp2), leftOut(g, ob, "cp2", at.cp2)
		if (firm != "") != at.firm || (left != "") != at.leftOut || !strings.Contains(firm+left+"cp1", "cp1") {
			t.Errorf("%s: obstacle %q, left out %q", name, firm, left)
		}
	}
}

// A worker is anybody's root sooner or later: whatever it says of itself, it is
// left out, and nobody else waits for it.
func TestWorkerIsNoObstacle(t *testing.T) {
	o, _ := observer(t, nil)
	o.File.Spec.Hosts = append(o.File.Spec.Hosts, spec.Host{Name: "w1", Address: "192.0.2.9", InternalAddress: "192.0.2.9",
		Roles: []string{spec.RoleWorker}})
	g, err := goal.Build(o.File, o.Artifacts, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]Facts{
		"another cluster's mark": {Marker: "test"},
		"another's name":         {Marker: "prod", Named: "cp1"},
		"foreign components":     {Foreign: []string{"/etc/rancher"}},
		"a clock that is off":    {Offset: time.Hour},
		"another processor":      {Arch: "vax"},
		"no address":             {Addresses: []string{"192.0.2.77"}},
	} {
		for _, id := range []model.HostID{"w1", "cp2"} {
			if f.Arch == "" {
				f.Arch = "x86_64"
			}
			ob := &Observation{Goal: g, Facts: map[model.HostID]Facts{id: f}}
			h := assemble(g, ob, time.Now()).Hosts[id]
			if what := h.Obstacle.Or("?"); (what == "") != (id == "w1") || (h.LeftOut == "") != (id == "cp2") {
				t.Errorf("%s: %s has the obstacle %q and is left out for %q", name, id, what, h.LeftOut)
			}
		}
	}
}

// A new worker with a name before all others does not keep a new control plane
// with the same machine-id from anything.
func TestNewWorkerCopiesMachineID(t *testing.T) {
	o, _ := observer(t, nil)
	o.File.Spec.Hosts = append(o.File.Spec.Hosts, spec.Host{Name: "a-worker", Address: "192.0.2.9", InternalAddress: "192.0.2.9",
		Roles: []string{spec.RoleWorker}})
	g, err := goal.Build(o.File, o.Artifacts, nil)
	if err != nil {
		t.Fatal(err)
	}
	ob := &Observation{Goal: g, Facts: map[model.HostID]Facts{
		"cp1":      {MachineID: "2", Arch: "x86_64", Addresses: []string{"192.0.2.1"}},
		"a-worker": {MachineID: "2", Arch: "x86_64", Addresses: []string{"192.0.2.9"}}}}
	c := assemble(g, ob, time.Now())
	if h := c.Hosts["cp1"]; !h.Obstacle.Is("") || h.LeftOut != "" {
		t.Errorf("cp1: %v, %q", h.Obstacle, h.LeftOut)
	}
	if h := c.Hosts["a-worker"]; !strings.Contains(h.LeftOut, "machine-id of cp1") {
		t.Errorf("the worker is left out for %q", h.LeftOut)
	}
}

// Two machines that are set up are never left out for it, but one of them may
// be a copy of the other: that is said.
func TestTwins(t *testing.T) {
	ob := &Observation{Facts: map[model.HostID]Facts{"cp1": {Marker: "prod", MachineID: "2"}, "cp2": {Marker: "prod", MachineID: "1"},
		"w1": {Marker: "prod", MachineID: "2"}, "w2": {MachineID: "2"}, "w3": {Marker: "prod"}, "w4": {Marker: "prod"},
		"w5": {Marker: "prod", MachineID: "1", Err: errors.New("gone")}}}
	if got := ob.Twins(); len(got) != 1 || !slices.Equal(got[0], []model.HostID{"cp1", "w1"}) {
		t.Errorf("twins are %v", got)
	}
}

// The exploit: a worker that never joins kept the second pod of CoreDNS from any
// node, and with it the apply for nine minutes.
func TestAddonsWaitForNodesThatAreThere(t *testing.T) {
	v := &APIView{Nodes: map[model.HostID]kubeapi.NodeStatus{}}
	for n, want := range []int{1, 1, 2, 2} {
		if got := v.possible(2); got != want {
			t.Errorf("with %d nodes %d pods, want %d", n, got, want)
		}
		v.Nodes[model.HostID(rune('a'+n))] = kubeapi.NodeStatus{Ready: true}
		v.Nodes[model.HostID(rune('A'+n))] = kubeapi.NodeStatus{Ready: n > 1, Unschedulable: true}
		v.Nodes[model.HostID(rune('0'+n))] = kubeapi.NodeStatus{}
	}
}

// A pod that was started again between two looks at the host is in nobody's way;
// any other process is.
func TestPortOfARestartedPod(t *testing.T) {
	o, _ := observer(t, nil)
	g, err := goal.Build(o.File, o.Artifacts, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &goal.Host{}
	h.Services[model.ControllerManager] = &workload.Service{Kind: workload.StaticPods{}}
	port := g.Layout.Ports(model.ControllerManager)[0]
	f := Facts{Listeners: []Listener{{Port: port, Process: "kube-controller", PID: 9161, Unit: podsGroup}}}
	if why := taken(g, h, f); len(why) > 0 {
		t.Error(why)
	}
	f.Listeners[0].Unit = ""
	if why := taken(g, h, f); len(why) != 1 || !strings.Contains(why[0], "in use by kube-controller (pid 9161)") {
		t.Errorf("somebody else's process: %q", why)
	}
}

// A person who puts one obstacle right shall not be told of the next only then.
func TestAllObstaclesAtOnce(t *testing.T) {
	o, _ := observer(t, nil)
	g, err := goal.Build(o.File, o.Artifacts, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := Facts{Arch: "vax", Offset: time.Hour, Swap: true, Listeners: []Listener{{Port: "6443", Process: "x", PID: 1},
		{Port: "6443", Process: "x", PID: 1}, {Port: "10250", Process: "y", PID: 2}}}
	got := obstacle(g, &Observation{Goal: g, Facts: map[model.HostID]Facts{"cp1": f}}, "cp1", f)
	for _, want := range []string{"its processor is vax", "1h0m0s off", "no address", "swapoff -a", "in use by x (pid 1)",
		"in use by y (pid 2)"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q is not named once in %s", want, got)
		}
	}
}

// Keepalived needs an interface: that of the host's own address, or the file's.
func TestInterfaceOfTheVirtualAddress(t *testing.T) {
	o, _ := observer(t, nil)
	o.File.Spec.Hosts = append(o.File.Spec.Hosts, spec.Host{Name: "lb1", Address: "192.0.2.41", InternalAddress: "192.0.2.41",
		Roles: []string{spec.RoleLoadBalancer}})
	for name, at := range map[string]struct {
		set, on string
		says    []string
	}{
		"seen":          {on: "ens3"},
		"not seen":      {says: []string{"192.0.2.41 is on no interface", "announce 192.0.2.100", "spec.loadBalancer.vip.interface"}},
		"loopback":      {on: "lo", says: []string{"192.0.2.41 is on lo", "spec.loadBalancer.vip.interface"}},
		"the file's":    {set: "ens4", on: "lo"},
		"the file's, 2": {set: "ens4"},
	} {
		o.File.Spec.LoadBalancer = spec.LoadBalancer{Kind: spec.HAProxyBalancer, HAProxy: &spec.HAProxy{},
			VIP: &spec.VIP{Address: "192.0.2.100/24", Interface: at.set}}
		g, err := goal.Build(o.File, o.Artifacts, nil)
		if err != nil {
			t.Fatal(err)
		}
		f := Facts{Arch: "x86_64", Addresses: []string{"192.0.2.41"}, Interfaces: map[string]string{}}
		if at.on != "" {
			f.Interfaces["192.0.2.41"] = at.on
		}
		got := obstacle(g, &Observation{Goal: g, Facts: map[model.HostID]Facts{"lb1": f}}, "lb1", f)
		if (got == "") != (len(at.says) == 0) {
			t.Errorf("%s: %q", name, got)
		}
		for _, s := range at.says {
			if !strings.Contains(got, s) {
				t.Errorf("%s: nothing about %q in %q", name, s, got)
			}
		}
	}
}
