package lab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// tools are the programs a lab needs, and the Debian package of each.
var tools = map[string]string{
	"debootstrap":    "debootstrap",
	"systemd-nspawn": "systemd-container",
	"ssh":            "openssh-client",
	"nft":            "nftables",
	"ip":             "iproute2",
	"nsenter":        "util-linux",
	"unshare":        "util-linux",
	"chroot":         "coreutils",
	"mount":          "mount",
}

// checkMachine says what this machine lacks for a lab.
func checkMachine() error {
	if err := checkRoot(); err != nil {
		return err
	}
	var missing []string
	packages := map[string]bool{}
	for tool, pkg := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
			packages[pkg] = true
		}
	}
	if _, err := os.Stat(debianKeyring); err != nil {
		missing = append(missing, debianKeyring)
		packages["debian-archive-keyring"] = true
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("this machine lacks %s; next: apt-get install %s", sorted(missing), sorted(keys(packages)))
}

func checkRoot() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("lab hosts need root; next: run the same command with sudo")
	}
	return nil
}

// run runs a program and returns what it printed; its stderr is in the error.
func run(ctx context.Context, stdin io.Reader, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("run %s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
