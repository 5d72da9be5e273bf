package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Reinstall gives a host a fresh file system, as after an installation from a
// medium: a new machine-id, a new SSH host key, nothing of what was on it; name
// and address stay. It is powered off hard before, and runs afterwards. The
// user's known_hosts still holds the old host key, as it would.
func (l *Lab) Reinstall(ctx context.Context, host string) error {
	if err := l.PowerOff(ctx, host, true); err != nil {
		return err
	}
	if err := l.renew(ctx, host); err != nil {
		return fmt.Errorf("%s: reinstall: %w", host, err)
	}
	return l.PowerOn(ctx, host)
}

// renew makes the host's file system anew.
func (l *Lab) renew(ctx context.Context, host string) error {
	h, held, err := l.holdHost(ctx, host)
	if err != nil {
		return err
	}
	defer held.release()
	if l.Running(host) {
		return errors.New("it was powered on meanwhile")
	}
	dir := l.hostDir(host)
	if err := unmountBelow(dir); err != nil {
		return err
	}
	for _, sub := range append([]string{"upper", "work", "root"}, ownFolders...) {
		if err := os.RemoveAll(filepath.Join(dir, sub)); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(l.ownFile("key"))
	if err != nil {
		return err
	}
	user, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return err
	}
	private, public, err := newKey("root@" + host)
	if err != nil {
		return err
	}
	if err := l.create(h, private, string(ssh.MarshalAuthorizedKey(user.PublicKey()))); err != nil {
		return err
	}
	return l.know(ctx, h, public)
}

// know replaces a host's key among those that the lab itself trusts.
func (l *Lab) know(ctx context.Context, h Host, key ssh.PublicKey) error {
	all, err := allLabsLock(ctx)
	if err != nil {
		return err
	}
	defer all.release()
	old, err := os.ReadFile(l.ownFile("known_hosts"))
	if err != nil {
		return err
	}
	var text strings.Builder
	for line := range strings.Lines(string(old)) {
		if !strings.HasPrefix(line, h.Address.String()+" ") {
			text.WriteString(line)
		}
	}
	fmt.Fprintf(&text, "%s %s", h.Address, ssh.MarshalAuthorizedKey(key))
	fresh := l.ownFile("known_hosts.new")
	if err := os.WriteFile(fresh, []byte(text.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(fresh, l.ownFile("known_hosts"))
}
