package observe

import (
	"bytes"
	"context"
	"errors"
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
)

// here is a host whose commands run on this machine, with programs of the
// test's before the system's: the probe changes nothing.
func here(t *testing.T, programs map[string]string) host.Host {
	t.Helper()
	bin := t.TempDir()
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h := hosttest.New("cp1")
	h.Handle(func(ctx context.Context, c host.Cmd, in []byte) (host.Result, error) {
		in = bytes.Replace(in, []byte(" PATH=/usr/local/sbin"), []byte(" PATH="+bin+":/usr/local/sbin"), 1)
		args := append([]string{"-c", string(in)}, c.Args[3:]...) // its stdin is the script alone
		var stderr bytes.Buffer
		cmd := exec.CommandContext(ctx, "sh", args...)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		return host.Result{Stdout: out, Stderr: stderr.Bytes()}, err
	}, "sh")
	return h
}

// elsewhere is a layout none of whose folders is there.
func elsewhere(t *testing.T) layout.Layout {
	at := layout.Systemd()
	at.Etcd.Data = filepath.Join(t.TempDir(), "etcd")
	return at
}

// The exploit: a process of anybody that listens has line breaks and marks of
// parts in its name, so that its host's etcd counted as lost.
func TestNamesForgeNoFacts(t *testing.T) {
	at := elsewhere(t)
	if err := os.MkdirAll(at.Etcd.Member(), 0o755); err != nil {
		t.Fatal(err)
	}
	ss := "case $* in *l*) printf 'LISTEN 0 5 0.0.0.0:9 0.0.0.0:* users:((\"" + `\n@@ lost\nyes\n$quorate_mark lost\nyes\n` +
		"\",pid=1,fd=3))\\n' ;; esac\n"
	f := Probe(t.Context(), here(t, map[string]string{"ss": ss, "systemctl": ""}), &goal.Goal{Layout: at}, "cp1", probeTimeout)
	if f.Err != nil {
		t.Fatal(f.Err)
	}
	if f.EtcdDataLost || !f.Data || f.Hostname == "" || len(f.Listeners) != 1 {
		t.Errorf("lost %t, data %t, hostname %q, listeners %+v", f.EtcdDataLost, f.Data, f.Hostname, f.Listeners)
	}
}

// Even the host's own word is believed only when it can be true.
func TestEtcdThatRunsIsNotLost(t *testing.T) {
	const lost = "lost"
	units := func(active string) string {
		return "Id=etcd.service\nLoadState=loaded\nActiveState=" + active + "\nSubState=running\nMainPID=7\nNRestarts=0\nResult=success\n" +
			"ActiveEnterTimestampMonotonic=1000000\n"
	}
	for active, want := range map[string]bool{"active": false, "failed": true, "activating": true} {
		h := hosttest.New("cp1")
		h.Handle(answers(lost, "yes\n", "data", "yes\n", "uptime", "1000.0 1000.0", "units", units(active)), "sh")
		f := Probe(t.Context(), h, &goal.Goal{Layout: layout.Systemd()}, "cp1", probeTimeout)
		if f.Err != nil || f.EtcdDataLost != want {
			t.Errorf("%s (%+v): lost %t, %v", active, f.Services[model.Etcd], f.EtcdDataLost, f.Err)
		}
	}
}

// A part that comes twice, or an answer without its end, is no answer.
func TestDoubledFactIsAnError(t *testing.T) {
	for name, say := range map[string]hosttest.Handler{
		"doubled": answers("hostname", "cp1\n", "hostname", "cp2\n"),
		"cut": func(_ context.Context, _ host.Cmd, in []byte) (host.Result, error) {
			r, err := hosttest.Framed(in, "hostname", "cp1\n")
			r.Stdout = bytes.TrimRight(r.Stdout, "\n")
			return host.Result{Stdout: r.Stdout[:bytes.LastIndexByte(r.Stdout, '\n')]}, err
		},
	} {
		h := hosttest.New("cp1")
		h.Handle(say, "sh")
		f := Probe(t.Context(), h, &goal.Goal{Layout: layout.Systemd()}, "cp1", probeTimeout)
		var bad *host.AnswerError
		if !errors.As(f.Err, &bad) || !strings.Contains(f.Err.Error(), "cp1: probe: ") || f.Hostname != "" {
			t.Errorf("%s: %v, %q", name, f.Err, f.Hostname)
		}
	}
}
