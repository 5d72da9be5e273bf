package component_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/component/componenttest"
	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

var lay = layout.Systemd()

var (
	cp1 = topology.Node{Name: "cp1", Address: "10.0.0.11", ControlPlane: true, Etcd: true}
	cp2 = topology.Node{Name: "cp2", Address: "10.0.0.12", ControlPlane: true, Etcd: true}
	cp6 = topology.Node{Name: "cp6", Address: "fd00::16", ControlPlane: true, Etcd: true}
)

func TestEtcdGolden(t *testing.T) {
	for name, c := range map[string]component.EtcdConfig{
		"found": {Layout: lay, Cluster: "prod", Self: cp1, Members: []topology.Node{cp2, cp1}, State: etcd.New},
		"join": {Layout: lay, Cluster: "prod", Self: cp6, Members: []topology.Node{cp1, cp6}, State: etcd.Existing, ExtraArgs: map[string]string{
			"quota-backend-bytes": "2147483648", "experimental-x": `50% of $HOME "now"`, "auto-compaction-retention": "1"}},
	} {
		s := component.Etcd(c)
		componenttest.Golden(t, name+".service", s.Unit)
		componenttest.Golden(t, name+".env", string(s.Files[0].Content))
		if s.Files[0].Path != lay.Etcd.Initial || !s.Files[0].Cold {
			t.Errorf("%s: %+v", name, s.Files[0])
		}
		if len(s.Rendered()) != 2 || !strings.Contains(string(s.Rendered()[1].Content), workload.StampEnv+"="+s.Stamp()) {
			t.Errorf("%s: the unit carries no stamp", name)
		}
	}
}

// The member list is no reason to restart; a flag is.
func TestOnlyFlagsMakeARestart(t *testing.T) {
	base := component.EtcdConfig{Layout: lay, Cluster: "prod", Self: cp1, Members: []topology.Node{cp1}, State: etcd.New}
	grown := base
	grown.Members, grown.State = []topology.Node{cp1, cp2}, etcd.Existing
	if component.Etcd(base).Stamp() != component.Etcd(grown).Stamp() {
		t.Error("a new member list restarts etcd")
	}
	if component.Etcd(base).Disk() == component.Etcd(grown).Disk() {
		t.Error("a new member list is not written")
	}
	tuned := base
	tuned.ExtraArgs = map[string]string{"heartbeat-interval": "250"}
	if component.Etcd(base).Stamp() == component.Etcd(tuned).Stamp() {
		t.Error("a new flag does not restart etcd")
	}
	swapped := grown
	swapped.Members = []topology.Node{cp2, cp1}
	if component.Etcd(grown).Disk() != component.Etcd(swapped).Disk() {
		t.Error("the order of members matters")
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"--a=b": "--a=b", "": `""`, "a b": `"a b"`, "50%": "50%%", "$HOME": "$$HOME", `a"b\c`: `"a\"b\\c"`, ";": `";"`,
	} {
		if got := workload.Quote(in); got != want {
			t.Errorf("quote(%q) = %s, not %s", in, got, want)
		}
	}
}

// systemd itself reads the units without a complaint. The binary is another
// one, for etcd is not installed where tests run.
func TestSystemdTakesTheUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze on this machine")
	}
	files, err := filepath.Glob("testdata/*.service")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden units", err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "etcd.service")
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), lay.Program("etcd")+" ", "/bin/sleep ")), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(analyze, "verify", path).CombinedOutput()
		if err != nil || strings.Contains(string(out), path) {
			t.Errorf("%s: %v\n%s", f, err, out)
		}
	}
}
