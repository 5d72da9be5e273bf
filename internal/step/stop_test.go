package step

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
