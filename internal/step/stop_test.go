package step

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/workload"
)

// A host reports why a service is not running. That is no reason to stop it once
// more: the engine would wait for ever.
func TestStoppedWithAReason(t *testing.T) {
	h := bare(model.Host{Roles: model.ControlPlane | model.EtcdHost, Reached: model.Is(true)})
	for v := range h.Components {
		h.Components[v] = model.ComponentState{Disk: model.Is("d"), Running: model.Is("").Because("is crash-looping")}
	}
	on := on{"cp1", &model.Host{}}
	for _, s := range []plan.Step{Stop{on}, StopControlPlane{recovered{on: on}}, StopEtcd{recovered: recovered{on: on}}} {
		c := model.New("c")
		c.Put("cp1", h)
		if !plan.Done(s, c) {
			t.Errorf("%s: what does not run is to be stopped", s.About().Title)
		}
		pod := h
		for _, v := range []model.Component{model.Etcd, model.APIServer} {
			pod.Components[v].Pod = true
		}
		if c.Put("cp1", pod); plan.Done(s, c) {
			t.Errorf("%s: the kubelet goes on starting a static pod whose manifest is there", s.About().Title)
		}
	}
}

// What crash-loops was not running when the host was seen, and is stopped with the
// rest: it would be back in a moment. What is not installed is left alone.
func TestStopsWhatCrashLoops(t *testing.T) {
	have := bare(model.Host{Reached: model.Is(true)})
	for v := range have.Components {
		have.Components[v] = model.ComponentState{Disk: model.Is(""), Running: model.Is("")}
	}
	have.Components[model.APIServer] = model.ComponentState{Disk: model.Is("d"), Running: model.Is("r")}
	have.Components[model.Scheduler] = model.ComponentState{Disk: model.Is("d"), Running: model.Is("").Because("is crash-looping")}
	c := model.New("c")
	c.Put("cp1", have)
	h, at := hosttest.New("cp1"), layout.Systemd()
	h.Handle(func(context.Context, host.Cmd, []byte) (host.Result, error) { return host.Result{}, nil }, "sh")
	// The fake answers without frames, which is an error here.
	_ = stopServices(t.Context(), Env{Host: h, Goal: &goal.Goal{Layout: at}, Have: c}, controlPlane)
	got := fmt.Sprint(h.Calls())
	for v, stops := range map[model.Component]bool{model.APIServer: true, model.Scheduler: true, model.ControllerManager: false} {
		if strings.Contains(got, at.Unit(v)) != stops {
			t.Errorf("%s: stopped %t, want %t: %s", v, !stops, stops, got)
		}
	}
}

// etcd that is about to be started again is stopped before its data is replaced;
// one that somebody has just started is not.
func TestSwapBesideACrashLoop(t *testing.T) {
	for restarts, want := range map[int]string{0: "etcd runs here (activating)", 3: ""} {
		dir := t.TempDir()
		at := layout.Systemd()
		at.Kubelet.Manifests, at.Own.Recovery, at.Etcd.Data = dir+"/none", dir+"/recovery", dir+"/data"
		for path, text := range map[string]string{at.Own.Recovery: `{"id":"x"}`, dir + "/state": "activating\n"} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		systemctl := fmt.Sprintf("systemctl() { case $* in is-active*) cat %[1]s/state ;; *NRestarts*) echo %[2]d ;; "+
			"stop*) echo inactive >%[1]s/state ;; esac; }\n", dir, restarts)
		cmd := exec.Command("sh", "-s", "--", "swap", "x")
		cmd.Stdin = strings.NewReader(recoverVerbs(at, systemctl+recoverScript))
		out, err := cmd.CombinedOutput()
		if strings.TrimSpace(string(out)) != want || (err == nil) != (want == "") {
			t.Errorf("after %d restarts: %v, %q; want %q", restarts, err, out, want)
		}
	}
}

// Data is not replaced while a manifest is there that the kubelet may run.
func TestSwapBesideAPod(t *testing.T) {
	dir := t.TempDir()
	at := layout.Systemd()
	at.Kubelet.Manifests, at.Own.Recovery = dir, filepath.Join(dir, "recovery")
	for path, text := range map[string]string{at.Own.Recovery: `{"id":"x"}`, workload.Pods(at).Path(at.Unit(model.Etcd)): ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", "-s", "--", "swap", "x")
	cmd.Stdin = strings.NewReader(recoverVerbs(at, recoverScript))
	_, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(string(exit.Stderr), "etcd runs here (static pod)") {
		t.Errorf("%v", err)
	}
}
