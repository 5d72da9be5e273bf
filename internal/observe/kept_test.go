package observe

import (
	"errors"
	"slices"
	"testing"
	"time"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/workload"
)

// A file whose flags are written as one value or as several is read again.
func TestKeptHosts(t *testing.T) {
	file := &spec.Cluster{}
	args := map[string]spec.Values{"v": {"1"}, "oidc-ca": {"a", "b"}}
	file.Spec.Components = map[string]spec.Component{"kube-apiserver": {ExtraArgs: args}}
	file.Spec.Hosts = []spec.Host{{Name: "cp1", Address: "192.0.2.11", Roles: []string{spec.RoleControlPlane, spec.RoleWorker}}}
	text, err := spec.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := keptHosts(text)
	if err != nil || len(hosts) != 1 || hosts[0].Name != "cp1" || hosts[0].Address != "192.0.2.11" ||
		!slices.Equal(hosts[0].Roles, file.Spec.Hosts[0].Roles) {
		t.Errorf("%v, %v of\n%s", hosts, err, text)
	}
}

// What is on a host that left goes by who has set it up: others, by its name in this
// file or an earlier one, unless quorate has brought programs there. Dead or alive.
func TestFoundHostLeaves(t *testing.T) {
	ob, _ := observer(t, nil)
	ob.File.Spec.Adopted = &spec.Adopted{From: spec.FromKubeadm, Hosts: []string{"old1", "old2", "w1"}}
	g, err := goal.Build(ob.File, ob.Artifacts, nil)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := keptHosts([]byte("spec: {adopted: {hosts: [old3, old5]}, hosts: [" +
		"{name: old3, address: 192.0.2.7}, {name: old4, address: 192.0.2.8}, {name: old5, address: 192.0.2.10}]}"))
	if err != nil {
		t.Fatal(err)
	}
	v := APIView{Nodes: map[model.HostID]kubeapi.NodeStatus{"old1": {Address: "192.0.2.5"}, "old2": {Address: "192.0.2.9"},
		"w1": {Address: "192.0.2.6"}}}
	v.Departed, _ = compare(append(kept, v.leftAdopted(ob.File)...), ob.File)
	o := &Observation{Goal: g, API: v, Facts: map[model.HostID]Facts{
		"old1": {Server: "https://192.0.2.1:6443"}, "old2": {Err: errors.New("no route to host")}, "old3": {Marker: g.Want.Name},
		"old4": {Server: "https://192.0.2.1:6443"}, "w1": {Server: "https://192.0.2.1:6443", Links: map[string]string{"kubelet": "x"}},
		"old5": {Services: map[model.Component]workload.State{
			model.Containerd: {Installed: true, Up: true}, model.Kubelet: {Installed: true}}}}}
	c := assemble(g, o, time.Now())
	for id, want := range map[model.HostID]struct{ found, clean, unknown bool }{
		"old1": {found: true}, "old2": {found: true, unknown: true}, "old3": {found: true}, "old4": {clean: true},
		"old5": {found: true, clean: true}, "w1": {}} {
		h := c.Hosts[id]
		if h.Found != want.found || h.Clean.Known() == want.unknown || h.Clean.Is(true) != want.clean {
			t.Errorf("%s: found %t, clean %v; want %+v", id, h.Found, h.Clean, want)
		}
	}
	if h := c.Hosts["old5"]; !h.Components[model.Containerd].Running.Is("") || !h.Components[model.Kubelet].Disk.Is("") {
		t.Errorf("the owner's runtime and packages count as the cluster's: %+v", h.Components)
	}
}
