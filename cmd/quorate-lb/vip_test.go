package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/lbtest"
	"quorate.dev/quorate/internal/balancer/viptest"
)

// The whole program with a virtual address: it takes it, hands it to the process
// that replaces it without a moment without it, and leaves nothing behind when
// that one is killed.
func TestVirtualAddress(t *testing.T) {
	if why := viptest.Missing(); why != "" {
		t.Skip(why)
	}
	n, err := viptest.New(1)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	dir := t.TempDir()
	certs, err := lbtest.NewCertificates(dir)
	if err != nil {
		t.Fatal(err)
	}
	var server *lbtest.Server
	if err := n.In(0, func() (err error) { server, err = lbtest.NewServer("cp1", certs, nil); return err }); err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	f := config.File{Ways: []config.Way{{
		Name: "api", Listen: []string{":8443"}, Check: config.Check{Kind: config.KindReadyz, CA: certs.CA},
		Backends: []config.Backend{{Name: "cp1", Address: server.Address}},
	}}, VIPs: []config.VIP{{Interface: viptest.Interface, VRID: 51, Addresses: []string{viptest.VIP4}, Peers: []string{n.Address(1).String()},
		Advert: config.Duration(time.Second)}}}.WithDefaults()
	text, err := f.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "lb.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	said := func() string {
		text, _ := os.ReadFile(log.Name())
		return string(text)
	}
	cmd := n.Command(0, self, "-config", path, "-leaving", path+".leaving")
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), "QUORATE_LB_TEST=1"), log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	until := func(what string, f func() bool) {
		t.Helper()
		for range 1500 {
			if f() {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatalf("not within 30 s: %s\n%s", what, said())
	}
	until("it has the address", func() bool { return n.Has(0, viptest.VIP4) })
	if err := cmd.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	until("a new process has it", func() bool {
		if !n.Has(0, viptest.VIP4) {
			t.Fatalf("the address is away between two processes\n%s", said())
		}
		return strings.Contains(said(), "quorate-lb ends")
	})
	_ = cmd.Wait()
	if !n.Has(0, viptest.VIP4) {
		t.Fatalf("the old process took the address with it\n%s", said())
	}
	// Kill the new process only: its guard is what is tested.
	out, err := exec.Command("pgrep", "-f", "-g", strconv.Itoa(cmd.Process.Pid), "--", "-config "+path).Output()
	if err != nil {
		t.Fatalf("the new process: %v\n%s", err, said())
	}
	if err := exec.Command("kill", append([]string{"-KILL"}, strings.Fields(string(out))...)...).Run(); err != nil {
		t.Fatal(err)
	}
	until("its guard takes the address off", func() bool { return !n.Has(0, viptest.VIP4) })
}
