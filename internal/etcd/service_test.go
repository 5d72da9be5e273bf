package etcd

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/unit"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	cp1 = unit.Node{Name: "cp1", Address: "10.0.0.11", ControlPlane: true, Etcd: true}
	cp2 = unit.Node{Name: "cp2", Address: "10.0.0.12", ControlPlane: true, Etcd: true}
	cp6 = unit.Node{Name: "cp6", Address: "fd00::16", ControlPlane: true, Etcd: true}
)

func TestServiceGolden(t *testing.T) {
	for name, c := range map[string]Config{
		"found": {Cluster: "prod", Self: cp1, Members: []unit.Node{cp2, cp1}, State: New},
		"join": {Cluster: "prod", Self: cp6, Members: []unit.Node{cp1, cp6}, State: Existing, ExtraArgs: map[string]string{
			"quota-backend-bytes": "2147483648", "experimental-x": `50% of $HOME "now"`, "auto-compaction-retention": "1"}},
	} {
		s := Service(c)
		golden(t, name+".service", s.Unit)
		golden(t, name+".env", string(s.Files[0].Content))
		if s.Files[0].Path != InitialPath || !s.Files[0].Cold {
			t.Errorf("%s: %+v", name, s.Files[0])
		}
		if len(s.Rendered()) != 2 || !strings.Contains(string(s.Rendered()[1].Content), unit.StampEnv+"="+s.Stamp()) {
			t.Errorf("%s: the unit carries no stamp", name)
		}
	}
}

// The member list is no reason to restart; a flag is.
func TestOnlyFlagsMakeARestart(t *testing.T) {
	base := Config{Cluster: "prod", Self: cp1, Members: []unit.Node{cp1}, State: New}
	grown := base
	grown.Members, grown.State = []unit.Node{cp1, cp2}, Existing
	if Service(base).Stamp() != Service(grown).Stamp() {
		t.Error("a new member list restarts etcd")
	}
	if Service(base).Disk() == Service(grown).Disk() {
		t.Error("a new member list is not written")
	}
	tuned := base
	tuned.ExtraArgs = map[string]string{"heartbeat-interval": "250"}
	if Service(base).Stamp() == Service(tuned).Stamp() {
		t.Error("a new flag does not restart etcd")
	}
	swapped := grown
	swapped.Members = []unit.Node{cp2, cp1}
	if Service(grown).Disk() != Service(swapped).Disk() {
		t.Error("the order of members matters")
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"--a=b": "--a=b", "": `""`, "a b": `"a b"`, "50%": "50%%", "$HOME": "$$HOME", `a"b\c`: `"a\"b\\c"`, ";": `";"`,
	} {
		if got := quote(in); got != want {
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
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), Binary+" ", "/bin/sleep ")), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(analyze, "verify", path).CombinedOutput()
		if err != nil || strings.Contains(string(out), path) {
			t.Errorf("%s: %v\n%s", f, err, out)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run go test -update", err)
	}
	if got != string(want) {
		t.Errorf("%s differs: compare, then run go test -update\n%s", path, got)
	}
}
