package workload

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate.dev/quorate/internal/host"
)

// A service that is crash-looping does not run, in whatever moment it is
// seen; one that has just begun may be such a one.
func TestUpAndLoops(t *testing.T) {
	const blocks = `Id=kube-scheduler.service
LoadState=loaded
ActiveState=%STATE%
SubState=%SUB%
UnitFileState=enabled
MainPID=7
NRestarts=%RESTARTS%
Result=success
ActiveEnterTimestampMonotonic=%SINCE%`
	for name, at := range map[string]struct {
		state, sub, restarts, since string
		up, loops                   bool
	}{
		"runs":                       {"active", "running", "0", "100000000", true, false},
		"has just begun":             {"active", "running", "0", "999500000", false, false},
		"restarted long ago":         {"active", "running", "3", "900000000", true, false},
		"restarted a moment ago":     {"active", "running", "3", "995000000", false, true},
		"waits for its next restart": {"activating", "auto-restart", "3", "995000000", false, true},
		"failed":                     {"failed", "failed", "0", "995000000", false, true},
		"stopped":                    {"inactive", "dead", "0", "995000000", false, false},
	} {
		block := strings.NewReplacer("%STATE%", at.state, "%SUB%", at.sub, "%RESTARTS%", at.restarts, "%SINCE%", at.since).Replace(blocks)
		s := Read(map[string]string{"units": block, "uptime": "1000.00 3000.00", "stamps": "/proc/7/environ:QUORATE_CONFIG=d1"},
			[]Watch{{Name: "kube-scheduler", Silent: true}})["kube-scheduler"]
		if s.Up != at.up || s.CrashLooping != at.loops || s.Read != "d1" || s.PID != 7 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	etcd := unitState{active: "activating", sub: "start", restarts: 1, since: time.Second}
	if !etcd.state(Watch{ServesStarting: true}).Up || etcd.state(Watch{}).Up {
		t.Error("a member that waits for its peers is what they wait for; who else starts does not serve yet")
	}
}

// The probe's own text, run by a shell on what a systemctl printed: what comes
// after it learns which services are up, and what is stamped where.
func TestProbeScript(t *testing.T) {
	dir := t.TempDir()
	const show = "#!/bin/sh\nprintf 'MainPID=0\\nId=etcd.service\\nLoadState=loaded\\nActiveState=activating\\nSubState=start\\n\\n" +
		"MainPID=0\\nId=nginx.service\\nLoadState=loaded\\nActiveState=active\\nSubState=running\\n\\nMainPID=0\\nId=kubelet.service\\n" +
		"LoadState=not-found\\nActiveState=inactive\\nSubState=dead\\n'\n"
	watched := []Watch{{Name: "etcd", ServesStarting: true}, {Name: "nginx", Stamp: "echo d2"}, {Name: "kubelet", Stamp: "echo none"}}
	frames := probed(t, dir, show, watched)
	if err := Unasked(frames); err != nil {
		t.Error(err)
	}
	if strings.TrimSpace(frames["more"]) != "etcd up\nnginx up\nnginx active" {
		t.Errorf("told:\n%s", frames["more"])
	}
	got := Read(frames, watched)
	if !got["etcd"].Up || !got["nginx"].Up || got["nginx"].Read != "d2" || got["kubelet"].Installed || got["kubelet"].Read != "" {
		t.Errorf("read %+v", got)
	}
}

// A systemd that does not answer is no host without services.
func TestUnasked(t *testing.T) {
	frames := probed(t, t.TempDir(), "#!/bin/sh\necho 'Failed to connect to bus: Connection refused' >&2; exit 1\n", []Watch{{Name: "etcd"}})
	if err := Unasked(frames); err == nil || err.Error() != "systemd does not answer: Failed to connect to bus: Connection refused" {
		t.Error(err)
	}
	dir := t.TempDir()
	once := "#!/bin/sh\n[ -e " + dir + "/asked ] || { : >" + dir + "/asked; exit 1; }\n" +
		"printf 'MainPID=0\nId=etcd.service\nLoadState=loaded\nActiveState=active\nSubState=running\n'\n"
	frames = probed(t, dir, once, []Watch{{Name: "etcd"}})
	if err := Unasked(frames); err != nil || !Read(frames, []Watch{{Name: "etcd"}})["etcd"].Installed {
		t.Errorf("%v: it answered the second time", err)
	}
}

// probed runs the probe with a systemctl of the test's in dir.
func probed(t *testing.T, dir, systemctl string, watched []Watch) map[string]string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(systemctl), 0o755); err != nil {
		t.Fatal(err)
	}
	in := host.NewFrames()
	text := in.Shell() + ProbeScript(watched, "") +
		`frame "more"; for n in etcd nginx kubelet; do is_up $n && echo "$n up"; is_active $n && echo "$n active"; done; frame_end`
	cmd := exec.Command("sh", "-c", text)
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := in.Parse(out)
	if err != nil {
		t.Fatal(err)
	}
	frames := map[string]string{}
	for _, name := range answer.Names() {
		frames[name] = answer.Text(name)
	}
	return frames
}
