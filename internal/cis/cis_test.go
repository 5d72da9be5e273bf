package cis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/workload"
)

// argv is a command line as /proc has it.
func argv(words ...string) string { return strings.Join(words, "\x00") + "\x00" }

// hardened is what a control plane answers that is as it should be.
func hardened(at layout.Layout) map[string]string {
	files := ""
	for _, f := range []string{at.UnitPath(model.APIServer), at.UnitPath(model.Kubelet), at.Scheduler.Kubeconfig, at.Kubelet.Config,
		at.PKI.CA.Key} {
		files += "600 root:root " + f + "\n"
	}
	files += "700 etcd:etcd " + at.Etcd.Data + "\n644 root:root " + at.PKI.CA.Cert + "\n755 root:root " + at.PKI.Dir + "/etcd/\n"
	return map[string]string{
		"argv kube-apiserver": argv("/bin/kube-apiserver", "--authorization-mode=Node,RBAC", "--profiling=false",
			"--enable-admission-plugins=NodeRestriction", "--audit-log-maxage=30"),
		"argv kube-scheduler": argv("kube-scheduler", "--config=/c"), "config kube-scheduler": "enableProfiling: false\n",
		"argv etcd":    argv("etcd", "--trusted-ca-file="+at.PKI.EtcdCA.Cert),
		"argv kubelet": argv("kubelet", "--config=/c"),
		"config kubelet": "authentication: {anonymous: {enabled: false}}\npodPidsLimit: 4096\nstreamingConnectionIdleTimeout: 4h0m0s\n" +
			"tlsCipherSuites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n",
		"argv kube-proxy": argv("kube-proxy", "--config=/c"), "config kube-proxy": "mode: nftables\n",
		"files": files, "sums": "aa  " + at.PKI.CA.Cert + "\nbb  " + at.PKI.EtcdCA.Cert + "\n", "providers": "secretbox\nidentity\n",
	}
}

// walk judges one host of all roles that answers so.
func walk(t *testing.T, answer map[string]string) Report {
	t.Helper()
	h := hosttest.New("cp1")
	h.Handle(func(_ context.Context, _ host.Cmd, stdin []byte) (host.Result, error) {
		var parts []string
		for name, text := range answer {
			parts = append(parts, name, text)
		}
		return hosttest.Framed(stdin, parts...)
	}, "sh")
	return Walk(t.Context(), layout.Systemd(), []Target{{ID: "cp1", Host: h, Roles: model.ControlPlane | model.EtcdHost}})
}

// Each thing that is wrong on a host fails its check, and no other.
func TestChecks(t *testing.T) {
	at := layout.Systemd()
	was := walk(t, hardened(at))
	for _, c := range []struct{ id, part, old, new, seen string }{
		{"1.1.1", "files", "600 root:root " + at.UnitPath(model.APIServer), "644 root:root " + at.UnitPath(model.APIServer), "644"},
		{"1.1.11", "files", "700 etcd", "750 etcd", "750"},
		{"1.1.12", "files", "700 etcd:etcd", "700 root:root", "root:root"},
		{"1.1.15", "files", "600 root:root " + at.Scheduler.Kubeconfig, "640 root:root " + at.Scheduler.Kubeconfig, "640"},
		{"1.1.19", "files", "755 root:root", "755 eve:root", "eve:root"},
		{"1.1.21", "files", "600 root:root " + at.PKI.CA.Key, "644 root:root " + at.PKI.CA.Key, at.PKI.CA.Key + " 644"},
		{"1.2.6", "argv kube-apiserver", "Node,RBAC", "Node,RBAC,AlwaysAllow", "AlwaysAllow"},
		{"1.2.8", "argv kube-apiserver", "Node,RBAC", "Node", "--authorization-mode=Node"},
		{"1.2.14", "argv kube-apiserver", "NodeRestriction", "PodSecurity", "PodSecurity"},
		{"1.2.15", "argv kube-apiserver", "--profiling=false", "--profiling", "--profiling=true"},
		{"1.2.17", "argv kube-apiserver", "maxage=30", "maxage=29", "29"},
		{"1.2.28", "providers", "secretbox\nidentity", "identity\nsecretbox", "identity"},
		{"1.4.1", "config kube-scheduler", "false", "true", "enableProfiling=true"},
		{"2.7", "sums", "bb  ", "aa  ", "the cluster's CA"},
		{"4.1.9", "files", "600 root:root " + at.Kubelet.Config, "644 root:root " + at.Kubelet.Config, "644"},
		{"4.2.1", "config kubelet", "enabled: false", "enabled: true", "authentication.anonymous.enabled=true"},
		{"4.2.1", "argv kubelet", "--config=/c", "--anonymous-auth=true", "--anonymous-auth=true"},
		{"4.2.5", "config kubelet", "4h0m0s", "0s", "0s"},
		{"4.2.12", "config kubelet", "AES_128_GCM_SHA256", "AES_128_CBC_SHA", "CBC"},
		{"4.2.13", "config kubelet", "4096", "-1", "-1"},
		{"4.3.1", "config kube-proxy", "mode", "metricsBindAddress: 0.0.0.0:1\nmode", "0.0.0.0:1"},
	} {
		answer := hardened(at)
		if !strings.Contains(answer[c.part], c.old) {
			t.Fatalf("%s: nothing to change in %q", c.id, answer[c.part])
		}
		answer[c.part] = strings.Replace(answer[c.part], c.old, c.new, 1)
		is := walk(t, answer)
		for i, o := range is.Checks {
			switch before := was.Checks[i]; {
			case o.ID == c.id && (before.Result != Pass || o.Result != Fail || !strings.Contains(o.On[0].Seen, c.seen) || o.Fix == ""):
				t.Errorf("%s with %q: %+v; it was %+v", c.id, c.new, o, before)
			case o.ID != c.id && o.Result != before.Result && c.id[:3] != o.ID[:3]:
				t.Errorf("%s with %q changes %s, too: %+v", c.id, c.new, o.ID, o)
			}
		}
	}
}

// What does not run passes nothing, and who was not asked passes nothing.
func TestUnknownIsNoPass(t *testing.T) {
	r := walk(t, map[string]string{"files": "", "sums": "", "providers": ""})
	for _, o := range r.Checks {
		if o.Result == Pass {
			t.Errorf("%s passes on a bare host: %+v", o.ID, o)
		}
	}
	down := hosttest.New("cp1")
	down.Down(errors.New("no route"))
	r = Walk(t.Context(), layout.Systemd(), []Target{{ID: "cp1", Host: down, Roles: model.ControlPlane}})
	if r.Passed() || r.Counts.Pass > 0 || !strings.Contains(r.Text(), "cp1 was not checked: no route") {
		t.Errorf("a host that does not answer: %+v\n%s", r.Counts, r.Text())
	}
	if r := walk(t, map[string]string{"files": "x\n"}); r.Passed() || !strings.Contains(r.Hosts[0].Why, "cannot read") {
		t.Errorf("an answer that cannot be read: %+v", r.Hosts)
	}
}

// The table is the benchmark's: its numbers in order, none missing, each with a fix.
func TestTable(t *testing.T) {
	rows := map[string]int{"1.1": 21, "1.2": 30, "1.3": 7, "1.4": 2, "2": 7, "3.1": 3, "3.2": 2, "4.1": 10, "4.2": 14, "4.3": 1}
	got, manual := map[string]int{}, 0
	for i, c := range checks {
		section := c.id[:strings.LastIndex(c.id, ".")]
		got[section]++
		if n := number(c.id[strings.LastIndex(c.id, ".")+1:]); n != got[section] {
			t.Errorf("row %d is %s", i, c.id)
		}
		if c.fix == "" || c.title == "" || c.on == nil || c.judge == nil {
			t.Errorf("%s is not whole", c.id)
		}
		if c.manual {
			manual++
		}
	}
	for s, n := range rows {
		if got[s] != n {
			t.Errorf("section %s has %d rows, not %d", s, got[s], n)
		}
	}
	if manual != 32 {
		t.Errorf("%d manual rows", manual)
	}
}

// The script runs in a shell, and judges the process that the runtime names, and
// no other of the same name.
func TestScript(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it looks at processes of root")
	}
	at := layout.Systemd()
	dir := t.TempDir()
	at.Bin = t.TempDir()
	name := "cis-" + filepath.Base(filepath.Dir(dir)) // of nobody else on this machine
	program := filepath.Join(dir, name)
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(sleep, program); err != nil {
		t.Fatal(err)
	}
	real, liar := exec.Command(program, "60"), exec.Command(program, "61")
	for _, c := range []*exec.Cmd{liar, real} {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer c.Wait()
		defer c.Process.Kill()
	}
	crictl := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *' ps '*'^%s$ --label io.kubernetes.pod.namespace=kube-system'*) echo 8719d4 ;; "+
		"*' inspect '*8719d4) echo %d ;; esac\n", name, real.Process.Pid)
	if err := os.WriteFile(at.Program("crictl"), []byte(crictl), 0o755); err != nil {
		t.Fatal(err)
	}
	h := hosttest.New("cp1")
	h.Handle(func(ctx context.Context, _ host.Cmd, stdin []byte) (host.Result, error) {
		c := exec.CommandContext(ctx, "sh", "-u")
		c.Stdin = strings.NewReader(string(stdin))
		out, err := c.Output()
		return host.Result{Stdout: out}, err
	}, "sh")
	vars := "NAMES='" + name + "' FILES='" + program + "' TREES='" + dir + "' SUMS='" + sleep + "' ENCRYPTION=/dev/null\n"
	answer, err := host.Ask(t.Context(), h, host.Script{What: "look", Text: vars + workload.Script(at, lookText)})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := answer.Part("argv " + name); string(got) != argv(program, "60") {
		t.Errorf("its command line is %q", got)
	}
	if !regexp.MustCompile(`(?m)^777 root:root ` + program + `$`).MatchString(answer.Text("files")) {
		t.Errorf("files: %q", answer.Text("files"))
	}
	if _, err := read(answer, at); err != nil {
		t.Error(err)
	}
}
