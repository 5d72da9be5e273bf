package workload

import (
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
)

func madeService() Service {
	s := MadeService("kube-apiserver", Pods(layout.Kubeadm()), Made{Image: "r/kube-apiserver:v1.36.3",
		Flags: map[string]string{"a": "1", "b": "x,y"}, Others: []string{"a", "own"}, Reads: []string{"/etc/read"}, Phase: []string{"p"}},
		nil, File{File: host.File{Path: "/etc/policy", Content: []byte("p")}})
	s.Version = "v1.36.3"
	return s
}

const madeManifest = `apiVersion: v1
kind: Pod
spec:
  containers:
  - command:
    - kube-apiserver
    - --own=anything
    - --a=1
    - --b=x,y
    image: r/kube-apiserver:v1.36.3
`

// Of a manifest that another program writes, what the cluster decides must be as
// wanted, what that program decides may be anything, and the rest is too much.
func TestFoundDisk(t *testing.T) {
	s := madeService()
	sums := map[string]string{"/etc/policy": sum([]byte("p"))}
	same := func(manifest string, sums map[string]string) bool {
		return s.FoundDisk(State{Manifest: manifest}, sums) == s.Disk()
	}
	edit := func(old, new string) string { return strings.Replace(madeManifest, old, new, 1) }
	for name, as := range map[string]bool{
		"as written":                   same(madeManifest, sums),
		"its own flag differs":         same(edit("anything", "else"), sums),
		"its own flag is not there":    same(edit("    - --own=anything\n", ""), sums),
		"other formatting":             same(edit("    - --a=1\n    - --b=x,y\n", "    - \"--b=x,y\"\n    - '--a=1'\n"), sums),
		"NOT: a wanted flag differs":   same(edit("--a=1", "--a=2"), sums),
		"NOT: a wanted flag is gone":   same(edit("    - --a=1\n", ""), sums),
		"NOT: one flag too many":       same(edit("--a=1", "--a=1\n    - --c=3"), sums),
		"NOT: a flag twice":            same(edit("--a=1", "--a=1\n    - --a=1"), sums),
		"NOT: another image":           same(edit("v1.36.3", "v1.36.4"), sums),
		"NOT: half written":            same(madeManifest[:60], sums),
		"NOT: another file":            same(madeManifest, map[string]string{"/etc/policy": "x"}),
		"NOT: no manifest":             same("", sums),
		"NOT: a file that is no image": same("# nothing", sums),
	} {
		if want := !strings.HasPrefix(name, "NOT"); as != want {
			t.Errorf("%s: as wanted is %t", name, as)
		}
	}
	if got := s.FoundDisk(State{}, sums); got != "" {
		t.Errorf("without a manifest there is %q", got)
	}
}

// What the process of such a manifest has read.
func TestHasReadMade(t *testing.T) {
	s, began := madeService(), time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	sums := map[string]string{"/etc/policy": sum([]byte("p"))}
	old := map[string]time.Time{"/etc/policy": began.Add(-time.Hour), "/etc/read": began.Add(-time.Hour)}
	later := map[string]time.Time{"/etc/policy": began.Add(-time.Hour), "/etc/read": began.Add(time.Hour)}
	argv := []string{"kube-apiserver", "--b=x,y", "--own=1", "--a=1"}
	for name, at := range map[string]struct {
		state State
		want  string
	}{
		"all as wanted":         {State{Argv: argv, FileTimes: old}, "true"},
		"a wanted flag differs": {State{Argv: []string{"kube-apiserver", "--a=1", "--b=x"}, FileTimes: old}, "false"},
		"a file that lies there already has changed since": {State{Argv: argv, FileTimes: later}, "false"},
		"its files were not seen":                          {State{Argv: argv}, "unknown"},
	} {
		at.state.Started = began
		has := s.HasRead(at.state, sums)
		if got := has.String(); !strings.HasPrefix(got, at.want) {
			t.Errorf("%s: %s, want %s", name, got, at.want)
		}
	}
}

func TestVersionOfAManifest(t *testing.T) {
	for image, want := range map[string]string{"r:5000/etcd:3.6.8-0": "3.6.8", "r/x/kube-apiserver:v1.37.0-rc.1": "v1.37.0-rc.1",
		"r/kube-apiserver:v1.36.3": "v1.36.3", "r/none": ""} {
		if got := versionOf("spec: {containers: [{image: '"+image+"'}]}", ""); got != want {
			t.Errorf("%s is of version %q, want %q", image, got, want)
		}
	}
}

// What the user adds beside flags is compared by name in the manifest, and by its
// mark in the running process.
func TestMadeCustomised(t *testing.T) {
	s := madeService()
	s.Made.Mark, s.Made.Env = "m1", map[string]string{"A": "x"}
	s.Made.Volumes = map[string]string{"w": VolumeLine("/h", "/m", true, "")}
	const custom = madeManifest + `    env: [{name: A, value: x}, {name: QUORATE_CONFIG, value: m1}, {name: HTTP_PROXY, value: somebody's}]
    volumeMounts: [{name: w, mountPath: /m, readOnly: true}, {name: other, mountPath: /o}]
  volumes: [{name: w, hostPath: {path: /h}}, {name: other, hostPath: {path: /o}}]
`
	sums := map[string]string{"/etc/policy": sum([]byte("p"))}
	for name, as := range map[string]bool{
		"as written":         s.FoundDisk(State{Manifest: custom}, sums) == s.Disk(),
		"NOT: another mark":  s.FoundDisk(State{Manifest: strings.Replace(custom, "m1", "m2", 1)}, sums) == s.Disk(),
		"NOT: another value": s.FoundDisk(State{Manifest: strings.Replace(custom, "value: x", "value: y", 1)}, sums) == s.Disk(),
		"NOT: another path":  s.FoundDisk(State{Manifest: strings.Replace(custom, "path: /h", "path: /g", 1)}, sums) == s.Disk(),
		"NOT: none of it":    s.FoundDisk(State{Manifest: madeManifest}, sums) == s.Disk(),
		"NOT: not wanted":    madeService().FoundDisk(State{Manifest: custom}, sums) == madeService().Disk(),
	} {
		if want := !strings.HasPrefix(name, "NOT"); as != want {
			t.Errorf("%s: as wanted is %t", name, as)
		}
	}
	began := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	at := State{Argv: []string{"kube-apiserver", "--a=1", "--b=x,y"}, Read: "m1", Started: began,
		FileTimes: map[string]time.Time{"/etc/policy": began.Add(-time.Hour), "/etc/read": began.Add(-time.Hour)}}
	if has := s.HasRead(at, sums); !has.Is(true) {
		t.Errorf("its mark is the wanted one: %v", has)
	}
	if has := madeService().HasRead(at, sums); !has.Is(false) {
		t.Errorf("no mark is wanted: %v", has)
	}
}

// A flag that is repeated has its values side by side, in a unit and a manifest.
func TestRepeatedFlags(t *testing.T) {
	words := Words("p", map[string]string{"a": "1"}, map[string]string{"b": Repeated([]string{"y", "x"})})
	if got := strings.Join(words, " "); got != "p --a=1 --b=y --b=x" {
		t.Error(got)
	}
	if got := flagsOf(words)["b"]; got != Repeated([]string{"y", "x"}) {
		t.Errorf("%q", got)
	}
	if got := Environment("A", `50% "$x"\`); got != `Environment="A=50%% \"$x\"\\"` {
		t.Error(got)
	}
}
