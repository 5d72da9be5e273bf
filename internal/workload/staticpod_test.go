package workload

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
)

func unstamped(t *testing.T) Service {
	t.Helper()
	s, err := PodService("kube-apiserver", Pods(layout.Systemd()),
		Pod{Cluster: "c", Image: "i:1", Command: []string{"/bin/kube-apiserver", "--a=b c"}, Unstamped: true}, nil,
		File{File: host.File{Path: "/etc/policy", Content: []byte("p")}},
		File{File: host.File{Path: "/etc/cold", Content: []byte("c")}, Cold: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What a process without a stamp has read: only what is certain is said, and
// what cannot be told is unknown.
func TestHasRead(t *testing.T) {
	s := unstamped(t)
	began := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	sums := map[string]string{}
	for _, f := range s.Rendered() {
		sums[f.Path] = sum(f.Content)
	}
	for name, at := range map[string]struct {
		change func(*State, map[string]string)
		want   string // "", "no" or "unknown"
	}{
		"all as wanted":          {func(*State, map[string]string) {}, ""},
		"another command":        {func(s *State, _ map[string]string) { s.Argv = []string{"/bin/kube-apiserver"} }, "no"},
		"no command line":        {func(s *State, _ map[string]string) { s.Argv = nil }, "unknown"},
		"file changed later":     {func(s *State, _ map[string]string) { s.FileTimes["/etc/policy"] = began.Add(time.Minute) }, "no"},
		"file changed just then": {func(s *State, _ map[string]string) { s.FileTimes["/etc/policy"] = began }, "unknown"},
		"file not seen":          {func(s *State, _ map[string]string) { delete(s.FileTimes, "/etc/policy") }, "unknown"},
		"file is another":        {func(_ *State, sums map[string]string) { sums["/etc/policy"] = "x" }, "no"},
		"manifest is another":    {func(_ *State, sums map[string]string) { sums[s.Path()] = "x" }, "no"},
		"cold file is another": {func(s *State, sums map[string]string) {
			sums["/etc/cold"], s.FileTimes["/etc/cold"] = "x", began.Add(time.Minute)
		}, ""},
	} {
		state := State{Argv: []string{"/bin/kube-apiserver", "--a=b c"}, Started: began,
			FileTimes: map[string]time.Time{"/etc/policy": began.Add(-time.Hour)}}
		seen := map[string]string{}
		for k, v := range sums {
			seen[k] = v
		}
		at.change(&state, seen)
		has := s.HasRead(state, seen)
		got := map[bool]string{true: "", false: "no"}[has.Or(false)]
		if !has.Known() {
			got = "unknown"
		}
		if got != at.want || got != "" && has.Why() == "" {
			t.Errorf("%s: %q (%s), want %q", name, got, has.Why(), at.want)
		}
	}
}

// A manifest is a file of its own with all that the kubelet needs, whatever
// the flags hold; a stamped one tells stamp and version.
func TestManifest(t *testing.T) {
	s, err := PodService("etcd", Pods(layout.Systemd()), Pod{Cluster: "c", Image: "i:1", Launcher: []string{"/gate", "run"},
		Command: []string{"/bin/etcd", "--name=x"},
		Mounts:  []Mount{{Path: "/etc/x"}, {Path: "/var/lib/etcd", Write: true, Make: true}}, Grace: 30}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Version = "3.6.8"
	files := s.Rendered()
	if len(files) != 1 || files[0].Path != "/etc/kubernetes/manifests/etcd.yaml" {
		t.Fatalf("files: %+v", files)
	}
	text := string(files[0].Content)
	for _, want := range []string{"    quorate.dev/cluster: c\n", "value: '" + s.Stamp() + "'", "value: '3.6.8'", "hostNetwork: true",
		"- /gate\n    - run\n    - /bin/etcd\n", "type: DirectoryOrCreate", "priorityClassName: system-node-critical"} {
		if !strings.Contains(text, want) {
			t.Errorf("the manifest lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "@QUORATE") || strings.Contains(text, "status:") {
		t.Errorf("the manifest holds what it should not:\n%s", text)
	}
	if text := string(unstamped(t).Rendered()[2].Content); strings.Contains(text, StampEnv) {
		t.Errorf("a plain pod is stamped:\n%s", text)
	}
}

func TestPodStates(t *testing.T) {
	// 1000 s after boot, at 5000 s by its clock.
	pod := func(startTicks int) string { return fmt.Sprintf("etcd 7 %d 1000.50 5000.5", startTicks) }
	const exited = `{"containers":[{"createdAt":"1","metadata":{"name":"etcd","attempt":9}},{"createdAt":"2","metadata":{"name":"etcd","attempt":3}}]}`
	for name, at := range map[string]struct {
		manifests, pods, containers string
		want                        State
	}{
		"runs":           {"etcd", pod(50000), "", State{Installed: true, Up: true, Word: "active"}},
		"has just begun": {"etcd", pod(100000), "", State{Installed: true, Word: "active"}},
		"restarted":      {"etcd", pod(99600), exited, State{Installed: true, Word: "active", CrashLooping: true, Restarts: 3}},
		"waits to start": {"etcd", "", exited, State{Installed: true, Word: "not running", Moving: true, Restarting: true,
			CrashLooping: true, Restarts: 3}},
		"manifest is new": {"etcd", "", "", State{Installed: true, Word: "not running", Moving: true}},
		"is being ended":  {"", pod(50000), "", State{Up: true, Word: "active"}},
	} {
		frames := map[string]string{"manifests": at.manifests, "pods": at.pods, "containers": at.containers,
			"argv":   "/proc/7/cmdline:/bin/etcd\n/proc/71/cmdline:other\n/proc/7/cmdline:--name=x",
			"stamps": "/proc/7/environ:QUORATE_CONFIG=d\n/proc/7/environ:QUORATE_VERSION=3.6.8"}
		s := Read(frames, []Watch{{Name: "etcd"}})["etcd"]
		got := State{Installed: s.Installed, Up: s.Up, Word: s.Word, Moving: s.Moving, Restarting: s.Restarting, CrashLooping: s.CrashLooping,
			Restarts: s.Restarts}
		if fmt.Sprint(got) != fmt.Sprint(at.want) || !s.Pod {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, at.want)
		}
		if at.pods != "" && (s.Read != "d" || s.Version != "3.6.8" || s.PID != 7 || len(s.Argv) != 2) {
			t.Errorf("%s: of the process it is read %+v", name, s)
		}
	}
	if s := Read(map[string]string{"pods": pod(50000)}, []Watch{{Name: "etcd"}})["etcd"]; s.Started.Unix() != 4500 {
		t.Errorf("it began at %s", s.Started)
	}
}
