package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Exec runs a command on a host as root. It enters the container from this
// machine, so it also works on hosts that are cut off. The error of a command
// that ran and failed wraps *exec.ExitError.
func (l *Lab) Exec(ctx context.Context, host string, argv []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if err := checkRoot(); err != nil {
		return err
	}
	if _, err := l.Host(host); err != nil {
		return err
	}
	if len(argv) == 0 {
		return fmt.Errorf("%s: no command to run", host)
	}
	p, alive := l.process(host)
	if !alive {
		return fmt.Errorf("%s is powered off; next: quorate lab power-on %s/%s", host, l.Name, host)
	}
	_, init, err := p.container()
	if err != nil {
		return fmt.Errorf("%s: enter host: %w", host, err)
	}
	args := append([]string{
		"--target", strconv.Itoa(init), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--",
		"env", "-i", "-C", "/root", "HOME=/root", "USER=root", "LANG=C.UTF-8", "TERM=" + os.Getenv("TERM"),
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}, argv...)
	cmd := exec.CommandContext(ctx, "nsenter", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	cmd.WaitDelay = 5 * time.Second // what it leaves behind may hold its output open
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("%s: run %s: %w", host, argv[0], err)
	}
	return nil
}

// SSH becomes an interactive ssh to a host: it returns only when that fails.
func (l *Lab) SSH(host string, argv ...string) error {
	if err := checkRoot(); err != nil {
		return err
	}
	h, err := l.Host(host)
	if err != nil {
		return err
	}
	path, err := exec.LookPath("ssh")
	if err != nil {
		return fmt.Errorf("%s: no ssh on this machine; next: apt-get install openssh-client", host)
	}
	args := append([]string{
		"ssh", "-F", "none", "-i", l.ownFile("key"), "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=10",
		"-o", "UserKnownHostsFile=" + l.ownFile("known_hosts"), "-o", "GlobalKnownHostsFile=/dev/null",
		"root@" + h.Address.String(),
	}, argv...)
	return fmt.Errorf("%s: start ssh: %w", host, unix.Exec(path, args, os.Environ()))
}
