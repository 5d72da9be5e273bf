package goal

import (
	"maps"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
)

const clusterFile = `apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: t}
spec:
  kubernetes: {version: v1.36.3}
  controlPlaneEndpoint: api.t.example:8443
  loadBalancer: {kind: nginx}
  ssh: {user: root, keyFile: /somebody/key}
  hosts:
    - {name: cp1, address: 192.0.2.11, roles: [control-plane]}
    - {name: cp2, address: 192.0.2.12, roles: [control-plane]}
    - {name: cp3, address: 192.0.2.13, roles: [control-plane]}
    - {name: w1, address: 192.0.2.21, roles: [worker]}
`

func file(t *testing.T, text string) *spec.Cluster {
	t.Helper()
	f, _, err := spec.Parse("t.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func arts(t *testing.T) Artifacts {
	t.Helper()
	v, err := artifact.Resolve("v1.36.3", nil)
	if err != nil {
		t.Fatal(err)
	}
	a := Artifacts{Versions: v}
	for _, name := range artifact.SystemdNames() {
		a.Programs = append(a.Programs, artifact.File{Name: name, Blob: host.Blob{SHA256: Sum([]byte(name))}})
	}
	return a
}

func build(t *testing.T, text string, seen map[model.HostID]HostTraits) *Goal {
	t.Helper()
	g, err := Build(file(t, text), arts(t), seen)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Another build of the same versions is no change; another version is one, of
// each service that it is the version of.
func TestVersions(t *testing.T) {
	a := arts(t)
	want := func() model.Host {
		g, err := Build(file(t, clusterFile), a, nil)
		if err != nil {
			t.Fatal(err)
		}
		return g.Want.Hosts["cp1"]
	}
	was := want()
	for i := range a.Programs {
		a.Programs[i].SHA256 = Sum([]byte("built elsewhere: " + a.Programs[i].Name))
	}
	if now := want(); now != was {
		t.Errorf("another build is a change: %s", model.Difference(was, now))
	}
	a.Versions.Etcd = "3.6.9"
	now := want()
	for v := range model.NumComponents {
		if changed := !model.Same(now.Components[v].Running, was.Components[v].Running); changed != (v == model.Etcd) {
			t.Errorf("another etcd: the stamp of %s changes: %t", v, changed)
		}
	}
	if now.Binaries == was.Binaries || now.Components[model.Etcd].Version != "3.6.9" ||
		now.Components[model.Kubelet].Version != "v1.36.3" || now.Components[model.FrontDoor].Version != "" {
		t.Errorf("etcd %q, kubelet %q, front door %q", now.Components[model.Etcd].Version, now.Components[model.Kubelet].Version,
			now.Components[model.FrontDoor].Version)
	}
}

func TestWant(t *testing.T) {
	g := build(t, clusterFile, nil)
	cp, w := g.Want.Hosts["cp2"], g.Want.Hosts["w1"]
	if !cp.Keys.Is(model.SharedKeys) || !w.Keys.Is(model.PublicKeys) {
		t.Error("CA keys belong on control planes, and nowhere else")
	}
	if all := model.SetOf[model.HostID]("cp1", "cp2", "cp3"); !cp.EtcdVia.Is(model.Way{Kind: model.EachDirectly, Backends: all}) ||
		!w.Backends.Is(all) {
		t.Errorf("asks %v, backends %v", cp.EtcdVia, w.Backends)
	}
	if w.Components[model.Etcd].Disk.Known() || w.Components[model.APIServer].Disk.Known() || !w.Components[model.Kubelet].Disk.Known() {
		t.Error("a worker runs a kubelet and no part of the control plane")
	}
	if text := string(g.Applied()); strings.Contains(text, "/somebody") || strings.Contains(text, "ssh:") || !strings.Contains(text, "cp3") {
		t.Errorf("kept in the cluster:\n%s", text)
	}
	again := build(t, clusterFile, nil)
	if !again.Want.Equal(g.Want) {
		t.Error("the same file makes another goal")
	}
}

// A change of the file changes what it concerns, and no digest beside.
func TestChangeIsLocal(t *testing.T) {
	a := build(t, clusterFile, nil)
	b := build(t, strings.Replace(clusterFile, "kubernetes: {version: v1.36.3}",
		"kubernetes: {version: v1.36.3}\n  components: {kube-scheduler: {extraArgs: {v: \"4\"}}}", 1), nil)
	for id, h := range a.Want.Hosts {
		for v := range model.NumComponents {
			changed := h.Components[v] != b.Want.Hosts[id].Components[v]
			if want := v == model.Scheduler && h.Roles.Has(model.ControlPlane); changed != want {
				t.Errorf("%s %s changed: %v", id, v, changed)
			}
		}
	}
}

// A member of etcd comes and goes without a restart of those that stay.
func TestMembersAreCold(t *testing.T) {
	three := build(t, clusterFile, nil).Want.Hosts["cp1"].Components[model.Etcd]
	two := build(t, strings.Replace(clusterFile, "    - {name: cp3, address: 192.0.2.13, roles: [control-plane]}\n", "", 1),
		nil).Want.Hosts["cp1"].Components[model.Etcd]
	if three.Running != two.Running {
		t.Error("a change of the member list restarts etcd")
	}
	if three.Disk == two.Disk {
		t.Error("the member list on disk is not kept true")
	}
}

// Whoever stays keeps the way to the pods of a host that leaves until it is
// clean; nothing else of it stays.
func TestLeaving(t *testing.T) {
	seen := map[model.HostID]HostTraits{"w1": {PodCIDR: "10.244.3.0/24"}}
	less := strings.Replace(clusterFile, "    - {name: cp3, address: 192.0.2.13, roles: [control-plane]}\n", "", 1)
	with := func(s HostTraits) model.Host {
		m := maps.Clone(seen)
		m["cp3"] = s
		return build(t, less, m).Want.Hosts["w1"]
	}
	whole, gone := build(t, clusterFile, seen).Want.Hosts["w1"], build(t, less, seen).Want.Hosts["w1"]
	there := with(HostTraits{PodCIDR: "10.244.2.0/24", Address: "192.0.2.13"})
	if there.Components[model.PodNetwork] != whole.Components[model.PodNetwork] ||
		there.Components[model.FrontDoor] != gone.Components[model.FrontDoor] {
		t.Error("the way to its pods is not kept, or more than that")
	}
	for name, s := range map[string]HostTraits{
		"clean":                      {},
		"unreached":                  {PodCIDR: "10.244.2.0/24"},
		"its share is another's":     {PodCIDR: "10.244.3.0/24", Address: "192.0.2.13"},
		"its address has a new name": {PodCIDR: "10.244.2.0/24", Address: "192.0.2.12"},
	} {
		if with(s).Components[model.PodNetwork] != gone.Components[model.PodNetwork] {
			t.Errorf("%s: a way to it is kept", name)
		}
	}
}

func TestAllot(t *testing.T) {
	shares := func(g *Goal) string {
		var out []string
		for _, id := range g.IDs() {
			out = append(out, string(id)+"="+g.Hosts[id].Node.PodCIDR)
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		name string
		seen map[model.HostID]HostTraits
		want string
	}{
		{"new hosts, in the file's order", nil,
			"cp1=10.244.0.0/24 cp2=10.244.1.0/24 cp3=10.244.2.0/24 w1=10.244.3.0/24"},
		{"what a host has it keeps", map[model.HostID]HostTraits{"w1": {PodCIDR: "10.244.0.0/24"}, "cp2": {PodCIDR: "10.244.9.0/24"}},
			"cp1=10.244.1.0/24 cp2=10.244.9.0/24 cp3=10.244.2.0/24 w1=10.244.0.0/24"},
		{"a host that leaves holds its share", map[model.HostID]HostTraits{"gone": {PodCIDR: "10.244.0.0/24"}},
			"cp1=10.244.1.0/24 cp2=10.244.2.0/24 cp3=10.244.3.0/24 w1=10.244.4.0/24"},
		{"a host that was dead when it left comes back, and its share is another's",
			map[model.HostID]HostTraits{"cp2": {PodCIDR: "10.244.0.0/24"}, "gone": {PodCIDR: "10.244.0.0/24"}, "also": {PodCIDR: "10.244.0.0/24"}},
			"cp1=10.244.1.0/24 cp2=10.244.0.0/24 cp3=10.244.2.0/24 w1=10.244.3.0/24"},
		{"the API server's word goes before the host's",
			map[model.HostID]HostTraits{"cp2": {PodCIDR: "10.244.7.0/24", NodePodCIDR: "10.244.9.0/24"}, "w1": {PodCIDR: "10.244.9.0/24"}},
			"cp1=10.244.0.0/24 cp2=10.244.9.0/24 cp3=10.244.1.0/24 w1=10.244.2.0/24"},
		{"of two the older has it", map[model.HostID]HostTraits{"cp1": {NodePodCIDR: "10.244.9.0/24", NodeSince: time.Unix(9, 0)},
			"w1": {NodePodCIDR: "10.244.9.0/24", NodeSince: time.Unix(8, 0)}},
			"cp1=10.244.0.0/24 cp2=10.244.1.0/24 cp3=10.244.2.0/24 w1=10.244.9.0/24"},
		{"what is no share counts for nothing", map[model.HostID]HostTraits{"cp1": {PodCIDR: "0.0.0.0/1"}, "cp2": {PodCIDR: "10.244.0.0/16"},
			"cp3": {PodCIDR: "10.244.9.1/24"}, "w1": {PodCIDR: "192.0.2.0/24", NodePodCIDR: "10.96.0.0/24"}},
			"cp1=10.244.0.0/24 cp2=10.244.1.0/24 cp3=10.244.2.0/24 w1=10.244.3.0/24"},
	} {
		if got := shares(build(t, clusterFile, c.seen)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
	g := build(t, clusterFile, map[model.HostID]HostTraits{"cp1": {PodCIDR: "10.244.5.0/24"}, "w1": {PodCIDR: "10.244.5.0/24"}})
	if why := g.LeftOut["w1"]; len(g.LeftOut) != 1 || !strings.Contains(why, "10.244.5.0/24, which is that of cp1") {
		t.Errorf("two hosts with one share: %q", g.LeftOut)
	}
}
