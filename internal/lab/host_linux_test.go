//go:build lab

package lab

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// These tests boot real hosts: go test -tags lab ./internal/lab, as root.

// upForTest makes a lab that goes with the test.
func upForTest(t *testing.T, o Options) *Lab {
	t.Helper()
	o.Dir, o.Progress = t.TempDir(), func(s string) { t.Log(s) }
	l, err := Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Down(context.Background(), o.Name); err != nil {
			t.Error(err)
		}
	})
	return l
}

func reachable(h Host) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(h.Address.String(), "22"), time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// answers waits for sshd of a host: the first packet after a cut may wait for ARP.
func answers(h Host) bool { return waitUntil(time.Minute, func() bool { return reachable(h) }) }

func output(t *testing.T, l *Lab, host string, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, errOut bytes.Buffer
	if err := l.Exec(ctx, host, argv, nil, &out, &errOut); err != nil {
		t.Fatalf("%v: %v: %s", argv, err, errOut.String())
	}
	return strings.TrimSpace(out.String())
}

func TestLabLife(t *testing.T) {
	before := traces(t)
	l := upForTest(t, Options{Name: "test-life", ControlPlanes: 1, Workers: 1})
	cp1, w1 := l.Hosts[0], l.Hosts[1]

	if got := output(t, l, "cp1", "hostname"); got != "cp1" {
		t.Errorf("hostname %s", got)
	}
	if a, b := output(t, l, "cp1", "cat", "/etc/machine-id"), output(t, l, "w1", "cat", "/etc/machine-id"); a == b {
		t.Error("both hosts have one machine-id")
	}
	ssh := exec.Command("ssh", "-F", "none", "-i", l.KeyFile, "-o", "UserKnownHostsFile="+l.Known, "-o", "BatchMode=yes", "root@"+
		w1.Address.String(), "hostname")
	if out, err := ssh.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "w1" {
		t.Errorf("ssh with the user's key: %v: %s", err, out)
	}
	output(t, l, "cp1", "sh", "-ec", "mkdir /sys/fs/cgroup/*/test-group 2>/dev/null || mkdir /sys/fs/cgroup/memory/test-group; "+
		"sysctl -qw net.ipv4.ip_forward=1; test -c /dev/kmsg")
	if state := output(t, l, "cp1", "sh", "-c", "systemctl is-system-running --wait; systemctl --failed --no-legend"); state != "running" {
		t.Errorf("system state: %s", state)
	}
	if _, err := Up(t.Context(), Options{Name: l.Name, ControlPlanes: 1}); err == nil || !strings.Contains(err.Error(), "up already") {
		t.Errorf("up twice: %v", err)
	}

	for range 2 { // both are fine twice
		if err := l.Cut(t.Context(), "w1"); err != nil {
			t.Fatal(err)
		}
	}
	toW1 := []string{"timeout", "5", "bash", "-c", "</dev/tcp/" + w1.Address.String() + "/22"}
	// Long enough for the SYN to be sent again: the first may wait for ARP.
	if reachable(w1) || l.Exec(t.Context(), "cp1", toW1, nil, nil, nil) == nil {
		t.Error("w1 is cut off and can be reached")
	}
	if got := output(t, l, "w1", "hostname"); got != "w1" {
		t.Errorf("exec on a host that is cut off: %s", got)
	}
	for range 2 {
		if err := l.Heal(t.Context(), "w1"); err != nil {
			t.Fatal(err)
		}
	}
	if !answers(w1) {
		t.Error("w1 is healed and cannot be reached")
	}

	if err := l.CutPorts(t.Context(), "w1", "22,2379-2380"); err != nil {
		t.Fatal(err)
	}
	if all, err := l.Status(t.Context()); reachable(w1) || err != nil ||
		!slices.ContainsFunc(all, func(s Status) bool { return s.Host.Name == "w1" && slices.Equal(s.Ports, []int{22, 2379, 2380}) }) {
		t.Errorf("port 22 of w1 is cut off, and can be reached or is not told: %+v, %v", all, err)
	}
	// Who refuses has heard: other ports are not cut off.
	output(t, l, "cp1", "bash", "-c", "(</dev/tcp/"+w1.Address.String()+"/23) 2>&1 | grep -q refused")
	if err := l.Hang(t.Context(), "w1", "nosuch"); err == nil || !strings.Contains(err.Error(), "does not run there") {
		t.Errorf("a service that does not run hangs: %v", err)
	}
	if err := l.Hang(t.Context(), "w1", "ssh"); err != nil {
		t.Fatal(err)
	}
	const state = "sed -n 's/^State:[[:space:]]*\\(.\\).*/\\1/p' /proc/$(systemctl show -p MainPID --value ssh)/status"
	if got := output(t, l, "w1", "sh", "-c", state); got != "T" {
		t.Errorf("sshd hangs and is in state %q", got)
	}
	if err := l.Heal(t.Context(), "w1"); err != nil {
		t.Fatal(err)
	}
	if got := output(t, l, "w1", "sh", "-c", state); got == "T" || !answers(w1) {
		t.Errorf("sshd goes on and is in state %q", got)
	}
	output(t, l, "cp1", toW1...)

	for _, hard := range []bool{true, false} {
		output(t, l, "cp1", "sh", "-c", "echo kept >/root/kept; echo kept >/var/lib/etcd/kept; sync")
		start := time.Now()
		if err := l.PowerOff(t.Context(), "cp1", hard); err != nil {
			t.Fatal(err)
		}
		off := time.Since(start)
		if reachable(cp1) || l.Running("cp1") {
			t.Errorf("cp1 is off and runs (hard: %v)", hard)
		}
		if err := l.PowerOn(t.Context(), "cp1"); err != nil {
			t.Fatal(err)
		}
		t.Logf("power-off (hard: %v) %.1f s, power-on %.1f s", hard, off.Seconds(), (time.Since(start) - off).Seconds())
		if got := output(t, l, "cp1", "cat", "/root/kept", "/var/lib/etcd/kept"); got != "kept\nkept" {
			t.Errorf("files after a reboot: %s", got)
		}
	}

	output(t, l, "cp1", "sh", "-c", "systemctl is-system-running --wait || true") // it takes orders
	boot := output(t, l, "cp1", "journalctl", "--list-boots")
	output(t, l, "cp1", "sh", "-c", "for g in /sys/fs/cgroup/*; do mkdir -p $g/kubepods/old 2>/dev/null; done; systemctl reboot")
	if !waitUntil(time.Minute, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // it may go down meanwhile
		defer cancel()
		var out bytes.Buffer
		err := l.Exec(ctx, "cp1", []string{"journalctl", "--list-boots"}, nil, &out, &out)
		return err == nil && strings.Count(out.String(), "\n") > strings.Count(boot, "\n")+1 && reachable(cp1)
	}) {
		t.Error("cp1 did not come back from a reboot")
	}
	output(t, l, "cp1", "sh", "-c", "! test -e /sys/fs/cgroup/memory/kubepods")

	if removed, err := Clean(t.Context()); err != nil || slices.Contains(removed, "lab "+l.Name) || !l.Running("cp1") || !answers(w1) {
		t.Errorf("clean beside a living lab: %v, %v", removed, err)
	}
	for range 2 {
		if err := Down(t.Context(), l.Name); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{l.File, l.KeyFile, l.Known} {
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s is left", file)
		}
	}
	checkNothingLeft(t, before)
}

func TestLabsDoNotSeeEachOther(t *testing.T) {
	before := traces(t)
	a := upForTest(t, Options{Name: "test-a", ControlPlanes: 1})
	b := upForTest(t, Options{Name: "test-b", ControlPlanes: 1})
	was, err := readSetting("net/ipv4/ip_forward")
	if err != nil {
		t.Fatal(err)
	}
	if err := writeSetting("net/ipv4/ip_forward", 1); err != nil { // as a machine with Docker has it
		t.Fatal(err)
	}
	defer writeSetting("net/ipv4/ip_forward", was)
	for _, address := range []string{b.Hosts[0].Address.String(), b.Gateway().String()} {
		// refused would mean that the packet came through
		argv := []string{"sh", "-c", "timeout 2 bash -c '</dev/tcp/" + address + "/22'; echo $?"}
		if got := output(t, a, "cp1", argv...); got != "124" {
			t.Errorf("a host of %s gets an answer from %s: exit status %s", a.Name, address, got)
		}
	}
	for _, l := range []*Lab{a, b} {
		if err := Down(t.Context(), l.Name); err != nil {
			t.Fatal(err)
		}
	}
	checkNothingLeft(t, before)
}

func TestLabCleanAfterCrash(t *testing.T) {
	before := traces(t)
	l := upForTest(t, Options{Name: "test-crash", ControlPlanes: 1, Workers: 1})
	for _, h := range l.Hosts {
		l.kill(h.Name)
	}
	if !waitUntil(5*time.Second, func() bool { return !l.Running("cp1") && !l.Running("w1") }) {
		t.Fatal("killed containers still run")
	}
	if removed, err := Clean(t.Context()); err != nil || !slices.Contains(removed, "lab "+l.Name) {
		t.Fatalf("clean: %v, %v", removed, err)
	}
	checkNothingLeft(t, before)

	// As when the command was killed in the middle of its work.
	l = upForTest(t, Options{Name: "test-crash", ControlPlanes: 1})
	l.Phase = phaseStarting
	if err := l.save(); err != nil {
		t.Fatal(err)
	}
	if _, err := Up(t.Context(), Options{Name: l.Name, Workers: 1, Dir: t.TempDir()}); err != nil {
		t.Fatalf("up on what a killed up left: %v", err)
	}
	if err := Down(t.Context(), l.Name); err != nil {
		t.Fatal(err)
	}
	checkNothingLeft(t, before)

	// And with the state folder's lab.json lost, while its hosts run.
	l = upForTest(t, Options{Name: "test-crash", ControlPlanes: 1})
	if err := os.Remove(filepath.Join(l.dir(), "lab.json")); err != nil {
		t.Fatal(err)
	}
	removed, err := Clean(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(removed)
	checkNothingLeft(t, before)
}

func TestLabUpCutShort(t *testing.T) {
	before := traces(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		time.Sleep(700 * time.Millisecond)
		cancel()
	}()
	l, err := Up(ctx, Options{Name: "test-short", ControlPlanes: 3, Dir: t.TempDir()})
	if err == nil {
		t.Logf("%s was faster than the cut", l.Name)
		if err := Down(t.Context(), l.Name); err != nil {
			t.Fatal(err)
		}
	}
	checkNothingLeft(t, before)
}
