package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
	"golang.org/x/sys/unix"
)

const lockShared = unix.LOCK_SH

// Open finds a lab that is up.
func Open(name string) (*Lab, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := checkRoot(); err != nil {
		return nil, err
	}
	l, err := readLab(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no lab %s; next: quorate lab list, or quorate lab up %s", name, name)
	}
	if err != nil {
		return nil, err
	}
	if l.Phase != phaseUp {
		return nil, fmt.Errorf("lab %s is %s; if no command is at work on it: quorate lab down %s", name, l.Phase, name)
	}
	return l, nil
}

// List reads all labs, whatever their phase, in order of their names.
func List() ([]*Lab, error) {
	if err := checkRoot(); err != nil {
		return nil, err
	}
	labs, _, err := readLabs()
	return labs, err
}

// Running says whether a host's container runs.
func (l *Lab) Running(host string) bool {
	_, alive := l.process(host)
	return alive
}

// Status sees all hosts of the lab from outside.
func (l *Lab) Status(ctx context.Context) ([]Status, error) {
	cut, err := l.cuts(ctx)
	if err != nil {
		return nil, err
	}
	var all []Status
	for _, h := range l.Hosts {
		off := cut[linkName(l.Subnet, h.Name)]
		all = append(all, Status{h, l.Running(h.Name), off.all, off.ports})
	}
	return all, nil
}

// powerOffLimit is how long an orderly power-off may take before it is ended.
const powerOffLimit = 45 * time.Second

// PowerOff stops a host: in an orderly way, or (hard) like pulling the plug. One
// that is off already is no error.
func (l *Lab) PowerOff(ctx context.Context, host string, hard bool) error {
	h, held, err := l.holdHost(ctx, host)
	if err != nil {
		return err
	}
	defer held.release()
	if p, alive := l.process(host); alive && !hard {
		if nspawn, _, err := p.container(); err == nil {
			unix.Kill(nspawn, unix.SIGTERM) // it hands SIGRTMIN+3 to the host's init
		}
		for end := time.Now().Add(powerOffLimit); p.alive() && time.Now().Before(end); {
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s: wait for power-off: %w", host, ctx.Err())
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	l.kill(host)
	if err := l.sweep(ctx, h); err != nil {
		return fmt.Errorf("%s: power off: %w", host, err)
	}
	return nil
}

// PowerOn boots a host and waits until root can log in, or, when it is cut off,
// until its container runs. One that runs already is no error.
func (l *Lab) PowerOn(ctx context.Context, host string) error {
	h, held, err := l.holdHost(ctx, host)
	if err != nil {
		return err
	}
	defer held.release()
	if l.Running(host) {
		return nil
	}
	if err := l.boot(ctx, h); err != nil {
		return fmt.Errorf("%s: power on: %w", host, err)
	}
	cut, err := l.cuts(ctx)
	if err != nil {
		return err
	}
	if off := cut[linkName(l.Subnet, host)]; off.all || slices.Contains(off.ports, 22) {
		return nil
	}
	config, err := l.sshConfig()
	if err != nil {
		return fmt.Errorf("%s: power on: %w", host, err)
	}
	return l.awaitSSH(ctx, h, config)
}

func (l *Lab) sshConfig() (*ssh.ClientConfig, error) {
	key, err := os.ReadFile(l.ownFile("key"))
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(key)
	if err != nil {
		return nil, err
	}
	known, err := knownhosts.New(l.ownFile("known_hosts"))
	if err != nil {
		return nil, err
	}
	return &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: known,
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}, Timeout: bootLimit,
	}, nil
}

// holdHost finds a host and takes its lock, and a share of the lab's.
func (l *Lab) holdHost(ctx context.Context, host string) (Host, *hold, error) {
	if err := checkRoot(); err != nil {
		return Host{}, nil, err
	}
	h, err := l.Host(host)
	if err != nil {
		return Host{}, nil, err
	}
	lab, err := labLock(ctx, l.Name, lockShared)
	if err != nil {
		return Host{}, nil, fmt.Errorf("lab %s: %w", l.Name, err)
	}
	if now, err := readLab(l.Name); err != nil || !now.Created.Equal(l.Created) || now.Phase != phaseUp {
		lab.release()
		return Host{}, nil, fmt.Errorf("lab %s is not up any more; next: quorate lab up %s", l.Name, l.Name)
	}
	own, err := lockFile(ctx, filepath.Join(l.hostDir(host), "lock"), unix.LOCK_EX)
	if err != nil {
		lab.release()
		return Host{}, nil, fmt.Errorf("%s: %w", host, err)
	}
	return h, &hold{lab, own}, nil
}

// hold is a share of a lab's lock and the lock of one of its hosts.
type hold struct{ lab, host *lock }

func (h *hold) release() {
	h.host.release()
	h.lab.release()
}

// kill ends a host's container as a power cut would. With its init die all its
// processes; a container just being started is sweep's.
func (l *Lab) kill(host string) {
	p, alive := l.process(host)
	if !alive {
		return
	}
	nspawn, init, err := p.container()
	p.signal(unix.SIGKILL) // first, or it takes it for a reboot
	if err == nil {
		unix.Kill(init, unix.SIGKILL)
		unix.Kill(nspawn, unix.SIGKILL)
	}
}

// sweep removes what a host's last life left: processes, control groups, its
// link (nspawn refuses to boot when it is still there), mounts.
func (l *Lab) sweep(ctx context.Context, h Host) error {
	if p, alive := l.process(h.Name); alive && !waitUntil(10*time.Second, func() bool { return !p.alive() }) {
		return fmt.Errorf("process %d does not end", p.PID)
	}
	if groups := hostCgroups(cgroupName(l.Subnet, h.Name)); len(groups) > 0 {
		if err := killCgroups(groups); err != nil {
			return err
		}
	}
	if err := deleteLink(ctx, linkName(l.Subnet, h.Name)); err != nil {
		return err
	}
	if err := sweepNspawn(machineName(l.Subnet, h.Name)); err != nil {
		return err
	}
	if err := os.Remove(l.processFile(h.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return unmountBelow(l.hostDir(h.Name))
}

// sweepNspawn removes what systemd-nspawn keeps of a machine for itself.
func sweepNspawn(machine string) error {
	for _, kind := range []string{"propagate", "unix-export"} {
		dir := filepath.Join("/run/systemd/nspawn", kind, machine)
		if err := unmountBelow(dir); err != nil {
			return err
		}
		os.Remove(dir)
	}
	return nil
}
