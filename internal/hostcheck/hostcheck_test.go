package hostcheck

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
)

// sound is what a machine answers that nothing is wrong with.
func sound(n int) map[string]string {
	return map[string]string{"cpus": "4", "memory": "4000000", "hostname": fmt.Sprint("h", n), "uuid": fmt.Sprint("u", n),
		"link": fmt.Sprintf("eth0 52:54:00:00:00:0%d 1500", n), "route": "eth0", "resolv": "10.0.0.1", "bridge": "yes",
		"installer": "/usr/bin/apt-get", "space": "/var/lib/containerd 4096 50 100 90 100\n/var/lib/kubelet 4096 50 100 90 100\n" +
			"/var/lib/etcd 4096 4000000 9000000 90 100", "fsync": "900000", "tried": "yes", "silent": ""}
}

// machine answers as told.
func machine(name string, answer map[string]string) host.Host {
	h := hosttest.New(name)
	h.Handle(func(_ context.Context, _ host.Cmd, stdin []byte) (host.Result, error) {
		var parts []string
		for frame, text := range answer {
			parts = append(parts, frame, text)
		}
		return hosttest.Framed(stdin, parts...)
	}, "sh")
	return h
}

const all = model.ControlPlane | model.EtcdHost

// pair checks a host beside a sound one that is set up.
func pair(t *testing.T, role model.Role, change map[string]string) Report {
	t.Helper()
	answer := sound(2)
	maps.Copy(answer, change)
	return Look(t.Context(), []Target{{ID: "cp2", Host: machine("cp2", answer), Address: "10.0.0.2", Roles: role, New: true},
		{ID: "cp1", Host: machine("cp1", sound(1)), Address: "10.0.0.1", Roles: all}}, Options{Layout: layout.Systemd(), Measure: true})
}

func TestFindings(t *testing.T) {
	if r := pair(t, all, nil); !r.Well() {
		t.Fatalf("%+v", r.Findings)
	}
	for _, c := range []struct {
		frame, answer, check string
		level                Level
		seen                 string
	}{
		{"cpus", "1", "cpus", Blocks, "1 CPU"},
		{"memory", "1700000", "memory", Blocks, "1660 MiB"},
		{"memory", "1900000", "memory", Warns, "1855 MiB"},
		{"bridge", "no", "br_netfilter", Blocks, "br_netfilter"},
		{"runtimes", "/var/run/crio/crio.sock", "runtimes", Warns, "crio.sock"},
		{"route", "", "route", Warns, "no default route"},
		{"resolv", "10.0.0.1\n127.0.0.53", "resolv", Warns, "127.0.0.53"},
		{"resolv", "::1", "resolv", Warns, "::1"},
		{"space", "/var/lib/containerd 4096 14 100 90 100", "space", Warns, "/var/lib/containerd has 14 % free"},
		{"space", "/var/lib/kubelet 4096 9 100 90 100", "space", Warns, "/var/lib/kubelet has 9 % free"},
		{"space", "/var/lib/etcd 4096 1000 9000 90 100", "space", Warns, "/var/lib/etcd has 3 MiB free"},
		{"space", "/var/lib/kubelet 4096 50 100 4 100", "inodes", Warns, "4 % of its inodes"},
		{"fsync", "25000000", "fsync", Warns, "25ms"},
		{"active", "firewalld", "firewall", Warns, "firewalld is active"},
		{"selinux", "1", "selinux", Warns, "enforcing"},
		{"readonly", "/usr", "usr", Warns, "/usr is read-only"},
		{"hostname", "h1", "hostname", Warns, "the host name of cp1 (h1)"},
		{"uuid", "U1", "product-uuid", Warns, "the product_uuid of cp1 (u1)"},
		{"link", "eth0 52:54:00:00:00:01 1500", "mac", Warns, "the MAC address of cp1"},
		{"link", "eth0 52:54:00:00:00:02 1450", "mtu", Warns, "1450"},
		{"silent", "10.0.0.1:2380", "ports", Warns, "cp1:2380"},
		{"tried", "", "ports", Warns, "was not tried: it has no bash"},
	} {
		r := pair(t, all, map[string]string{c.frame: c.answer})
		if len(r.Findings) != 1 || r.Findings[0].Host != "cp2" || r.Findings[0].Check != c.check || r.Findings[0].Level != c.level ||
			!strings.Contains(r.Findings[0].Seen, c.seen) || r.Findings[0].Fix == "" {
			t.Errorf("%s %q: %+v", c.frame, c.answer, r.Findings)
		}
		blocking := len(r.Blocking(nil))
		if (c.level == Blocks) != (blocking == 1) || blocking+len(r.Warnings(nil)) != 1 || len(r.Blocking([]string{c.check})) != 0 ||
			len(r.Blocking([]string{"all"})) != 0 || len(r.Warnings([]string{"all"})) != 1 {
			t.Errorf("%s %q: what blocks cannot be told or ignored", c.frame, c.answer)
		}
	}
}

// What cannot be seen is no finding.
func TestUnknownIsNoFinding(t *testing.T) {
	for frame, answer := range map[string]string{"cpus": "", "memory": "", "uuid": "", "link": "", "resolv": "", "bridge": "", "space": "",
		"fsync": "", "hostname": "", "selinux": ""} {
		if r := pair(t, all, map[string]string{frame: answer}); !r.Well() {
			t.Errorf("without %s: %+v", frame, r.Findings)
		}
	}
	// The machine around a container has one identity for all of them.
	if r := pair(t, all, map[string]string{"uuid": "u1", "container": "systemd-nspawn"}); !r.Well() {
		t.Errorf("%+v", r.Findings)
	}
}

// Commands are installed, unless the host has nothing to install them with.
func TestCommands(t *testing.T) {
	if r := pair(t, all, map[string]string{"lacks": "socat\nnft"}); !r.Well() {
		t.Errorf("%+v", r.Findings)
	}
	r := pair(t, all, map[string]string{"lacks": "socat\nnft", "installer": ""})
	if b := r.Blocking(nil); len(b) != 1 || !strings.Contains(b[0].Seen, "socat, nft missing") {
		t.Errorf("%+v", r.Findings)
	}
}

// A worker blocks nobody, needs no second processor, and no room for etcd.
func TestWorker(t *testing.T) {
	r := pair(t, model.Worker, map[string]string{"cpus": "1", "bridge": "no", "memory": "900000"})
	var got []string
	for _, f := range r.Findings {
		got = append(got, f.Check+" "+string(f.Level))
	}
	if slices.Sort(got); !slices.Equal(got, []string{"br_netfilter warns", "memory warns"}) {
		t.Errorf("%v", got)
	}
}

// Hosts that are set up are judged only when none is new.
func TestOldHosts(t *testing.T) {
	answer := sound(1)
	answer["cpus"] = "1"
	old := Target{ID: "cp1", Host: machine("cp1", answer), Address: "10.0.0.1", Roles: all}
	fresh := Target{ID: "cp2", Host: machine("cp2", sound(2)), Address: "10.0.0.2", Roles: all, New: true}
	if r := Look(t.Context(), []Target{old, fresh}, Options{Layout: layout.Systemd()}); !r.Well() {
		t.Errorf("%+v", r.Findings)
	}
	r := Look(t.Context(), []Target{old}, Options{Layout: layout.Systemd()})
	if len(r.Findings) != 1 || !strings.Contains(r.Text(), "cp1  blocks: 1 CPU; a control plane needs 2 [cpus]\n  fix: ") {
		t.Errorf("%s", r.Text())
	}
	old.Away = "it is off"
	r = Look(t.Context(), []Target{old}, Options{Layout: layout.Systemd()})
	if r.Well() || !strings.Contains(r.Text(), "cp1 was not checked: it is off") {
		t.Errorf("%s", r.Text())
	}
}

// here runs scripts on this machine.
func here() host.Host {
	h := hosttest.New("here")
	h.Handle(func(ctx context.Context, c host.Cmd, stdin []byte) (host.Result, error) {
		cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
		cmd.Stdin = strings.NewReader(string(stdin))
		out, err := cmd.Output()
		return host.Result{Stdout: out}, err
	}, "sh")
	return h
}

// The scripts say of this machine what it is, and leave nothing behind.
func TestScripts(t *testing.T) {
	dir := t.TempDir()
	at := layout.Systemd()
	at.Etcd.Data = dir + "/not/there/yet"
	h := look(t.Context(), Target{ID: "here", Host: here(), Address: "127.0.0.1", Roles: all}, Options{Layout: at, Measure: true})
	if !h.Reached || h.CPUs < 1 || h.MemoryBytes < 1<<28 || h.Hostname == "" || len(h.Space) != 3 || h.Space[2].SizeBytes == 0 ||
		h.Space[2].Path != at.Etcd.Data {
		t.Errorf("%+v", h)
	}
	if _, err := exec.LookPath("ip"); err == nil && h.Interface != "lo" {
		t.Errorf("127.0.0.1 is on %q", h.Interface)
	}
	if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
	// A port where nobody listens refuses, which is fine.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	open := l.Addr().String()
	peers := []string{open}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	peers = append(peers, closed.Addr().String())
	closed.Close()
	defer l.Close()
	if silent, err := reach(t.Context(), Target{Host: here()}, peers); len(silent) > 0 || err != nil {
		t.Errorf("silent: %v, %v", silent, err)
	}
}

// Which ports a host must reach follows from what both are for.
func TestPeers(t *testing.T) {
	targets := []Target{{ID: "cp1", Address: "1", Roles: all}, {ID: "cp2", Address: "2", Roles: all},
		{ID: "w1", Address: "3", Roles: model.Worker}, {ID: "e1", Address: "4", Roles: model.EtcdHost}}
	o := Options{Layout: layout.Systemd()}
	for i, want := range []string{"2:6443 2:2380 2:2379 2:10250 3:10250 4:2380 4:2379", "1:6443 1:2380 1:2379 1:10250 3:10250 4:2380 4:2379",
		"1:6443 2:6443", "1:2380 1:2379 2:2380 2:2379"} {
		if got := strings.Join(peers(targets[i], targets, false, o), " "); got != want {
			t.Errorf("%s: %s, want %s", targets[i].ID, got, want)
		}
	}
	targets[2].New = true
	if got := strings.Join(peers(targets[0], targets, true, o), " "); got != "3:10250" {
		t.Errorf("with a new worker: %s", got)
	}
}
