package lab

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// bootLimit is how long a host may take from start to SSH.
const bootLimit = 60 * time.Second

// ownFolders of a host lie on a real file system: containerd stacks overlays on
// its own, and an overlay on an overlay fails; etcd wants honest fsyncs.
var ownFolders = []string{"containerd", "kubelet", "etcd", "quorate"}

// create makes a host's file system: an overlay on the image, and in it what
// makes this host itself. hostKey is its SSH identity.
func (l *Lab) create(h Host, hostKey, authorized string) error {
	dir := l.hostDir(h.Name)
	for _, sub := range append([]string{"upper", "work", "root"}, ownFolders...) {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := l.mount(h); err != nil {
		return err
	}
	id := make([]byte, 16)
	rand.Read(id)
	root := filepath.Join(dir, "root")
	for _, f := range []struct {
		path, content string
		mode          os.FileMode
	}{
		{"/etc/hostname", h.Name + "\n", 0o644},
		{"/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n" + h.Address.String() + " " + h.Name + "\n", 0o644},
		{"/etc/resolv.conf", "nameserver " + l.Gateway().String() + "\n", 0o644},
		{"/etc/machine-id", hex.EncodeToString(id) + "\n", 0o444},
		{"/etc/systemd/network/10-host0.network", networkFile(h, l), 0o644},
		{"/etc/ssh/ssh_host_ed25519_key", hostKey, 0o600},
		{"/root/.ssh/authorized_keys", authorized, 0o600},
	} {
		if err := writeBelow(root, f.path, f.content, f.mode); err != nil {
			return err
		}
	}
	return os.Chmod(filepath.Join(root, "root/.ssh"), 0o700)
}

func networkFile(h Host, l *Lab) string {
	return fmt.Sprintf("[Match]\nName=host0\n\n[Network]\nAddress=%s/24\nGateway=%s\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n", h.Address,
		l.Gateway())
}

// mount stacks the host's overlay, unless it is there already.
func (l *Lab) mount(h Host) error {
	dir := l.hostDir(h.Name)
	root := filepath.Join(dir, "root")
	if points, err := mountsBelow(root); err != nil || len(points) > 0 {
		return err
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", l.Image, filepath.Join(dir, "upper"), filepath.Join(dir, "work"))
	if err := unix.Mount("quorate-lab", root, "overlay", 0, options); err != nil {
		return fmt.Errorf("stack the file system of %s on %s: %w", h.Name, l.Image, err)
	}
	return nil
}

// rebootLoop starts the container anew when its init asked for a reboot: then
// systemd-nspawn ends with status 133. What the last life left in its control
// groups would delay the kubelet, and its link the container.
const rebootLoop = `link=$1 group=$2; shift 2
while "$@"; [ $? = 133 ]; do
	find /sys/fs/cgroup/*/"$group" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null
	ip link del "$link" 2>/dev/null
done`

// boot starts a host's container; it lives on when this program ends.
func (l *Lab) boot(ctx context.Context, h Host) error {
	if err := l.sweep(ctx, h); err != nil {
		return err
	}
	if err := l.mount(h); err != nil {
		return err
	}
	prefix, err := enterCgroups(cgroupName(l.Subnet, h.Name))
	if err != nil {
		return err
	}
	console, err := os.Create(l.ConsoleLog(h.Name))
	if err != nil {
		return err
	}
	defer console.Close()
	argv := append([]string{"-c", rebootLoop, "quorate-lab", linkName(l.Subnet, h.Name), cgroupName(l.Subnet, h.Name)}, prefix...)
	cmd := exec.Command("sh", append(argv, l.nspawn(h)...)...)
	cmd.Env = append(os.Environ(), nspawnEnv()...)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start container: %w", err)
	}
	p, err := findProcess(cmd.Process.Pid)
	go cmd.Wait() // reaps it if we are still here when it ends
	if err != nil {
		return fmt.Errorf("start container: it ended at once: %s", l.consoleTail(h.Name))
	}
	return writeJSON(l.processFile(h.Name), p)
}

func (l *Lab) nspawn(h Host) []string {
	dir := l.hostDir(h.Name)
	args := []string{
		"systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--capability=all",
		"--directory=" + filepath.Join(dir, "root"),
		"--machine=" + machineName(l.Subnet, h.Name), "--hostname=" + h.Name,
		"--network-bridge=" + bridgeName(l.Subnet),
		"--resolv-conf=off", "--timezone=off", "--link-journal=no",
		"--console=read-only", // a pty nobody reads fills, and power-off hangs
		"--kill-signal=SIGRTMIN+3",
	}
	for _, sub := range ownFolders {
		args = append(args, "--bind="+filepath.Join(dir, sub)+":/var/lib/"+sub)
	}
	if l.Seed != "" {
		args = append(args, "--bind-ro="+strings.ReplaceAll(l.Seed, ":", `\:`)+":"+SeedPath)
	}
	return args
}

func nspawnEnv() []string {
	version := "0"
	if all, err := hierarchies(); err == nil && unified(all) {
		version = "1"
	}
	return []string{
		"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=" + version,
		"SYSTEMD_NSPAWN_USE_CGNS=1",
		"SYSTEMD_NSPAWN_API_VFS_WRITABLE=network", // more would make networkd wait for udev
		"SYSTEMD_SECCOMP=0",
	}
}

// awaitSSH waits until the host takes our key and shows its own.
func (l *Lab) awaitSSH(ctx context.Context, h Host, config *ssh.ClientConfig) error {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	for {
		err := trySSH(ctx, h, config)
		if err == nil {
			return nil
		}
		if !l.Running(h.Name) {
			return fmt.Errorf("%s: the container ended while it booted: %s", h.Name, l.consoleTail(h.Name))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: wait for ssh: %w (last: %v); its console: %s", h.Name, ctx.Err(), err, l.ConsoleLog(h.Name))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func trySSH(ctx context.Context, h Host, config *ssh.ClientConfig) error {
	addr := net.JoinHostPort(h.Address.String(), "22")
	dialer := net.Dialer{Timeout: 500 * time.Millisecond}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	c, _, _, err := ssh.NewClientConn(conn, addr, config)
	if err != nil {
		return err
	}
	return c.Close()
}

// newKey makes an SSH key pair: the private key as a file, and its public half.
func newKey(comment string) (private string, public ssh.PublicKey, err error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, comment)
	if err != nil {
		return "", nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return "", nil, err
	}
	return string(pem.EncodeToMemory(block)), signer.PublicKey(), nil
}

func (l *Lab) processFile(host string) string { return filepath.Join(l.hostDir(host), "process.json") }

// process is the host's container; not there when it is powered off.
func (l *Lab) process(host string) (process, bool) {
	var p process
	if err := readJSON(l.processFile(host), &p); err != nil {
		return process{}, false
	}
	return p, p.alive()
}

func (l *Lab) consoleTail(host string) string {
	text, err := os.ReadFile(l.ConsoleLog(host))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "; ")
}
