package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/lbtest"
	"quorate.dev/quorate/internal/balancer/viptest"
)

// bed is three hosts: the active router, the backup, and a client.
type bed struct {
	*viptest.Net
	dir   string
	certs *lbtest.Certificates
	nice  string // of what it runs; "": before all others
	end   []func()
}

func newBed() (*bed, error) {
	dir, err := os.MkdirTemp("", "benchvip")
	if err != nil {
		return nil, err
	}
	b := &bed{dir: dir, end: []func(){func() { os.RemoveAll(dir) }}}
	if b.certs, err = lbtest.NewCertificates(dir); err == nil {
		b.Net, err = viptest.New(3)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	b.end = append(b.end, func() { b.Net.Close() })
	return b, nil
}

func (b *bed) close() {
	for i := len(b.end) - 1; i >= 0; i-- {
		b.end[i]()
	}
}

// process is a router on a host.
type process struct {
	cmd   *exec.Cmd
	log   bytes.Buffer
	hung  []int
	ended bool
}

func (b *bed) run(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &p.log, &p.log, time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // as services of their own
	if b.nice != "" {
		cmd.Args[2] = b.nice // viptest.Net.Command
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	b.end = append(b.end, func() { p.kill() })
	return p, nil
}

// hang stops the process that speaks VRRP: quorate-lb itself and not its guard;
// with keepalived all of its processes, for who speaks is a child.
func (p *process) hang() error {
	p.hung = []int{p.cmd.Process.Pid}
	if filepath.Base(p.cmd.Args[len(p.cmd.Args)-1]) != "lb.yaml" {
		p.hung = []int{-p.cmd.Process.Pid}
	}
	return syscall.Kill(p.hung[0], syscall.SIGSTOP)
}

// silence keeps a host's kernel from answering: its balancer hangs, and an answer
// of the kernel serves nobody.
func (b *bed) silence(host int) error {
	return b.In(host, func() error { return os.WriteFile("/proc/sys/net/ipv4/icmp_echo_ignore_all", []byte("1"), 0o644) })
}

// stop is a clean stop, as a service manager asks for it. It does not wait.
func (p *process) stop() error { return p.cmd.Process.Signal(syscall.SIGTERM) }

func (p *process) kill() {
	if p.ended {
		return
	}
	p.ended = true
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Wait()
}

func (b *bed) vip(host int, advert time.Duration) config.VIP {
	return config.VIP{
		Interface: viptest.Interface, VRID: 51, Addresses: []string{viptest.VIP4}, Priority: backupPriority + 100*(1-host), Preempt: true,
		Advert: config.Duration(advert), Source: b.Address(host).String(), Peers: []string{b.Address(1 - host).String()},
	}
}

func (b *bed) keepalived(host int, advert time.Duration) (*process, error) {
	cmd, err := b.Keepalived(host, b.vip(host, advert), b.dir)
	if err != nil {
		return nil, err
	}
	return b.run(cmd)
}

// quorate is quorate-lb before a server on the same host, as an API server is.
func (b *bed) quorate(program string, host int, advert time.Duration) (*process, error) {
	var server *lbtest.Server
	if err := b.In(host, func() (err error) {
		server, err = lbtest.NewServer("cp", b.certs, nil)
		return err
	}); err != nil {
		return nil, err
	}
	b.end = append(b.end, server.Stop)
	f := config.File{Admin: config.Admin{Listen: "off"}, VIPs: []config.VIP{b.vip(host, advert)}, Ways: []config.Way{{
		Name: "api", Listen: []string{":8443"}, Check: config.Check{Kind: config.KindReadyz, CA: b.certs.CA},
		Backends: []config.Backend{{Name: "cp", Address: server.Address}},
	}}}.WithDefaults()
	text, err := f.Marshal()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, fmt.Sprint("host", host))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "lb.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, err
	}
	return b.run(b.Command(host, program, "-leaving", path+".leaving", "-config", path))
}

// once makes a fault and returns how long the client had no answer: from the
// fault to the first question that is answered again.
func once(c contender, f fault) (time.Duration, error) {
	b, err := newBed()
	if err != nil {
		return 0, err
	}
	defer b.close()
	var pair [2]*process
	for host := range pair {
		if pair[host], err = c.program(b, host); err != nil {
			return 0, err
		}
	}
	p, err := b.Ping(2, viptest.VIP4, 2*time.Millisecond)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	said := func() string { return fmt.Sprintf("\nhost 0: %s\nhost 1: %s", &pair[0].log, &pair[1].log) }
	ready := false
	for range 1500 {
		if ready = b.Has(0, viptest.VIP4) && !b.Has(1, viptest.VIP4) && p.Answered(); ready {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !ready {
		return 0, errors.New("the pair does not settle" + said())
	}
	time.Sleep(1200 * time.Millisecond) // Linux ignores a change of what it has learnt within a second
	at := time.Now()
	if err := f.make(b, pair[0]); err != nil {
		return 0, err
	}
	took := outage(p, at)
	if f.undo != nil {
		return took, f.undo(b, pair[0])
	}
	return took, nil
}

// outage is the longest time after the fault without an answer. When nothing was
// ever missed (the old host still answers) it is how long two answers were apart.
func outage(p *viptest.Pinger, at time.Time) time.Duration {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		// A second of answers after the longest gap: that was it.
		if gap, over := p.Longest(at); over > time.Second && time.Since(at) > 1500*time.Millisecond && (gap > 20*time.Millisecond ||
			time.Since(at) > 5*time.Second) {
			return gap
		}
	}
	return most
}
