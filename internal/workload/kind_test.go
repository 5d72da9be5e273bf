package workload_test

import (
	"strings"
	"testing"

	"quorate.dev/quorate/internal/workload"
)

// What has lost its definition and still serves counts as stopped. Wanted again, it
// must not be restarted, which would cut its clients off.
func TestWhatResumesIsNotRestarted(t *testing.T) {
	for _, resumes := range []bool{false, true} {
		s := workload.Service{Name: "kube-haproxy", Reload: true, Resumes: resumes}
		text := workload.Systemd{}.Apply(s, s.After(false, false))
		if !strings.Contains(text, "reset-failed") || strings.Contains(text, " reload-or-restart ") != resumes ||
			strings.Contains(text, " restart ") == resumes {
			t.Errorf("resumes %t: %s", resumes, text)
		}
		if text := (workload.Systemd{}).Apply(s, s.After(true, false)); text != "systemctl reload kube-haproxy.service\n" {
			t.Errorf("while it runs: %s", text)
		}
	}
}
