package workload_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/workload"
)

// stopped runs stop_services for etcd, with a crictl and a systemctl that leave
// what they were asked in $LOG.
func stopped(t *testing.T, crictl string, manifest bool) (log string, err error) {
	t.Helper()
	dir := t.TempDir()
	at := layout.Kubeadm()
	at.Bin, at.Kubelet.Manifests, at.Own.Kept = dir, dir+"/manifests", dir+"/kept"
	files := map[string]string{"crictl": crictl, "sleep": "exit 0\n",
		"systemctl": `echo systemctl $* >>$LOG
case $* in *LoadState*) echo LoadState=not-found ;; *ActiveState*) echo ActiveState=${ACTIVE:-inactive} ;; esac
[ $1 != stop ]
`}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(at.Kubelet.Manifests, 0o755); err != nil {
		t.Fatal(err)
	}
	if manifest {
		if err := os.WriteFile(at.Kubelet.Manifests+"/etcd.yaml", nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-eus", "--", "etcd")
	cmd.Env = append(os.Environ(), "LOG="+dir+"/log", "DIR="+dir, "PATH="+dir+":"+os.Getenv("PATH"))
	cmd.Stdin = strings.NewReader(workload.Script(at, "k=$AT_KEPT/now\nstop_services \"$@\"\n"))
	_, err = cmd.Output()
	if _, is := os.Stat(at.Own.Kept + "/now" + at.Kubelet.Manifests + "/etcd.yaml"); manifest && is != nil {
		t.Errorf("the manifest is not kept: %v", is)
	}
	text, _ := os.ReadFile(dir + "/log")
	return string(text), err
}

func TestStopPods(t *testing.T) {
	// The kubelet removes the pod first: the list has it once more.
	const raced = `echo crictl $* >>$LOG
case $* in *" pods "*) [ -e $DIR/gone ] || echo 8719d4 ;; *) touch $DIR/gone; echo "not found" >&2; exit 1 ;; esac
`
	for _, manifest := range []bool{true, false} {
		log, err := stopped(t, raced, manifest)
		if err != nil || strings.Count(log, " stopp 8719d4") != 1 {
			t.Errorf("manifest %t: %v\n%s", manifest, err, log)
		}
	}
	t.Run("file gone", func(t *testing.T) {
		t.Setenv("ACTIVE", "active")
		if log, err := stopped(t, raced, false); err == nil || !strings.Contains(log, "systemctl stop etcd.service") {
			t.Errorf("a unit that runs without its file, and does not stop, counts as stopped: %v\n%s", err, log)
		}
	})
	if log, err := stopped(t, "exit 1\n", false); err == nil {
		t.Errorf("the runtime does not answer, and its pod counts as stopped\n%s", log)
	}
	if log, err := stopped(t, "case $* in *' pods '*) echo 8719d4 ;; *) echo busy >&2; exit 1 ;; esac\n", true); err == nil {
		t.Errorf("a pod that stays counts as stopped\n%s", log)
	}
}
