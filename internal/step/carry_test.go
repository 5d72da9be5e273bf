package step

import (
	"context"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/kubeadm"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/topology"
)

// What a control plane only reads is brought, what it writes is made by it or by a
// person.
func TestVolumesOf(t *testing.T) {
	cc, err := kubeadm.Read([]byte(`kubernetesVersion: v1.36.3
apiServer:
  extraVolumes:
    - {name: a, hostPath: /etc/audit.yaml, mountPath: /a, readOnly: true, pathType: File}
    - {name: b, hostPath: /var/log/audit, mountPath: /b, pathType: DirectoryOrCreate}
    - {name: c, hostPath: /srv/hooks, mountPath: /c}
    - {name: d, hostPath: /etc/extra, mountPath: /d, readOnly: true, pathType: DirectoryOrCreate}
scheduler:
  extraVolumes:
    - {name: e, hostPath: /etc/audit.yaml, mountPath: /e, readOnly: true}
`))
	if err != nil {
		t.Fatal(err)
	}
	bring, have := volumesOf(cc)
	if !slices.Equal(bring, []string{"/etc/audit.yaml", "/etc/extra"}) || !slices.Equal(have, []string{"/srv/hooks"}) {
		t.Errorf("brought %v, must be there %v", bring, have)
	}
}

func TestCarry(t *testing.T) {
	for _, c := range []struct{ name, list, wrong string }{
		{name: "files", list: "600 5 /etc/extra/key\n644 3 /etc/extra/a b\n"},
		{name: "closed to all", list: "0 5 /etc/extra/key\n644 3 /etc/extra/a b\n"},
		{name: "nowhere", list: "absent 0 /etc/gone\n", wrong: "/etc/gone is neither on cp1 nor on cp2"},
		{name: "data", list: "644 900000 /etc/extra/key\n644 900000 /etc/extra/a b\n", wrong: "too much to be configuration"},
		{name: "many", list: strings.Repeat("644 1 /etc/extra/key\n", 65), wrong: "too much to be configuration"},
	} {
		t.Run(c.name, func(t *testing.T) {
			from := hosttest.New("cp1")
			from.Put("/etc/extra/key", "12345")
			from.Put("/etc/extra/a b", "abc")
			from.Handle(func(_ context.Context, _ host.Cmd, stdin []byte) (host.Result, error) {
				return hosttest.Framed(stdin, "output", c.list)
			}, "sh")
			files, err := carry(t.Context(), from, "cp2", []string{"/etc/extra"})
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) || !strings.Contains(err.Error(), "nothing was changed") {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || len(files) != 2 || files[0].Path != "/etc/extra/key" || files[0].Mode != 0o600 || string(files[0].Content) != "12345" ||
				!files[0].Secret || files[1].Path != "/etc/extra/a b" || files[1].Mode != 0o644 {
				t.Errorf("%v %v", files, err)
			}
		})
	}
}

// Those that were found come first; where they are dead, one that joined has the same.
func TestSibling(t *testing.T) {
	runs := model.Host{Reached: model.Is(true)}
	runs.Components[model.APIServer].Running = model.Is("digest")
	idle := model.Host{Reached: model.Is(true)}
	dead := model.Host{Reached: model.Is(false)}
	for _, c := range []struct {
		name          string
		cp1, cp2, cp3 model.Host
		want          string
	}{
		{"found", runs, runs, runs, "cp1"},
		{"found, at rest", idle, runs, runs, "cp1"},
		{"the found one is dead", dead, runs, runs, "cp2"},
		{"the next one has not joined yet", dead, idle, runs, "cp3"},
		{"none", dead, idle, dead, ""},
	} {
		g := &goal.Goal{Hosts: map[model.HostID]*goal.Host{"w1": {}}}
		for _, id := range []model.HostID{"cp1", "cp2", "cp3", "cp4"} {
			g.Hosts[id] = &goal.Host{Node: topology.Node{ControlPlane: true}, Found: id == "cp1"}
		}
		have := model.Cluster{Hosts: map[model.HostID]model.Host{"cp1": c.cp1, "cp2": c.cp2, "cp3": c.cp3, "cp4": runs, "w1": runs}}
		h, err := on{ID: "cp4"}.sibling(Env{Goal: g, Have: have, On: func(id model.HostID) host.Host { return hosttest.New(string(id)) }})
		if (err != nil) != (c.want == "") || err == nil && h.Name() != c.want {
			t.Errorf("%s: from %v, %v; want %q", c.name, h, err, c.want)
		}
	}
}
