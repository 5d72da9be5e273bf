package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Down removes a lab with all it added to the machine, without asking its hosts
// first. A lab that is not there is no error. The cluster file goes too, unless
// it was edited.
func Down(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := checkRoot(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(stateRoot, name)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	held, err := labLock(ctx, name, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer held.releaseLab(name)
	return remove(ctx, name)
}

// remove destroys the lab whose lock the caller holds.
func remove(ctx context.Context, name string) error {
	l, err := readLab(name)
	if err != nil {
		return destroyUnknown(ctx, name)
	}
	return l.destroy(ctx)
}

// dead says whether a lab is what a killed command or a reboot left: not wholly
// made, its bridge gone, or all its hosts gone without having been powered off.
// The caller holds the lab's lock, so nobody is at work on it.
func (l *Lab) dead() bool {
	if l.Phase != phaseUp {
		return true
	}
	if _, err := net.InterfaceByName(bridgeName(l.Subnet)); err != nil {
		return true
	}
	lost := false
	for _, h := range l.Hosts {
		if l.Running(h.Name) {
			return false
		}
		if _, err := os.Stat(l.processFile(h.Name)); err == nil {
			lost = true // it was meant to run
		}
	}
	return lost
}

// destroy removes everything of a lab, lab.json last: a destroy that was cut
// short is found and finished by the next.
func (l *Lab) destroy(ctx context.Context) error {
	l.Phase = phaseStopping
	if err := l.save(); err != nil {
		return err
	}
	var errs []error
	for _, h := range l.Hosts {
		l.kill(h.Name)
	}
	for _, h := range l.Hosts {
		if err := l.sweep(ctx, h); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", h.Name, err))
		}
	}
	errs = append(errs, unplugNetwork(ctx, l.Name, l.Subnet))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove lab %s: %w; next: quorate lab down %s", l.Name, err, l.Name)
	}
	os.Remove(l.KeyFile)
	os.Remove(l.Known)
	if text, err := os.ReadFile(l.File); err == nil && digestOf(text) == l.FileSum {
		os.Remove(l.File)
	}
	return removeState(ctx, l.Name)
}

// destroyUnknown removes a state folder without a readable lab.json, and
// before it what else there may be of the lab: it has no owner.
func destroyUnknown(ctx context.Context, name string) error {
	if _, err := removeOrphans(ctx); err != nil {
		return err
	}
	return removeState(ctx, name)
}

// removeState deletes the lab's folder and, after the last lab, restores the
// machine's settings.
func removeState(ctx context.Context, name string) error {
	dir := filepath.Join(stateRoot, name)
	if err := unmountBelow(dir); err != nil {
		return err
	}
	// The big part first, without the lock: lab.json still says whose it is.
	if err := os.RemoveAll(filepath.Join(dir, "hosts")); err != nil {
		return fmt.Errorf("remove the hosts of lab %s: %w", name, err)
	}
	all, err := allLabsLock(ctx)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		all.release()
		return fmt.Errorf("remove lab %s: %w", name, err)
	}
	return releaseAfterLast(all)
}

// releaseAfterLast lets the lock of all labs go and, when there is no lab left,
// restores the machine's settings and takes the lock's file away.
func releaseAfterLast(all *lock) error {
	labs, broken, err := readLabs()
	if err != nil || len(labs)+len(broken) > 0 {
		all.release()
		return err
	}
	err = restoreSettings()
	all.remove()
	return err
}
