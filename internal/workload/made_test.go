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
		if got := versionOf("spec: {containers: [{image: '" + image + "'}]}"); got != want {
			t.Errorf("%s is of version %q, want %q", image, got, want)
		}
	}
}
