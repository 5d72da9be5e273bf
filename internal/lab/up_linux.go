package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Up makes a lab and returns when root can log in to every host. What a killed
// run of the same name left is removed first; on an error, or when the context
// ends, what Up made so far is removed again.
func Up(ctx context.Context, o Options) (_ *Lab, err error) {
	if err := checkName(o.Name); err != nil {
		return nil, err
	}
	if _, err := planHosts(o, 0); err != nil {
		return nil, err
	}
	if err := checkMachine(); err != nil {
		return nil, err
	}
	image, err := Image(ctx, o.Progress)
	if err != nil {
		return nil, err
	}
	held, err := labLock(ctx, o.Name, unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer held.releaseLab(o.Name)
	if err := makeRoom(ctx, o); err != nil {
		return nil, err
	}
	l, err := found(ctx, o, image)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			o.say("removing what was made so far")
			err = errors.Join(err, l.destroy(context.WithoutCancel(ctx)))
		}
	}()
	if err := l.plugNetwork(ctx); err != nil {
		return nil, err
	}
	if err := l.bootAll(ctx, o); err != nil {
		return nil, err
	}
	if err := l.writeClusterFile(o); err != nil {
		return nil, err
	}
	l.Phase = phaseUp
	return l, l.save()
}

// makeRoom removes what a killed run of this name left, and refuses to touch a
// lab that lives.
func makeRoom(ctx context.Context, o Options) error {
	old, err := readLab(o.Name)
	if err == nil && !old.dead() {
		return fmt.Errorf("lab %s is up already, %s; next: quorate lab down %s", o.Name, old.File, o.Name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(stateRoot, o.Name)); err != nil {
			return nil
		}
	}
	o.say("%s: removing what a former run left", o.Name)
	if err != nil {
		return destroyUnknown(ctx, o.Name)
	}
	return old.destroy(ctx)
}

// found decides the lab's subnet and puts it down in lab.json, before anything
// is made: whoever finds traces of a lab finds that file, or they are nobody's.
func found(ctx context.Context, o Options, image string) (*Lab, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("find folder for %s.yaml: %w", o.Name, err)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder: cannot write %s.yaml there", dir, o.Name)
	}
	if o.Seed != "" {
		if o.Seed, err = filepath.Abs(o.Seed); err != nil {
			return nil, fmt.Errorf("find the artefact store: %w", err)
		}
		if info, err := os.Stat(o.Seed); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("the artefact store %s is not a folder", o.Seed)
		}
	}
	all, err := allLabsLock(ctx)
	if err != nil {
		return nil, err
	}
	defer all.release()
	labs, _, err := readLabs()
	if err != nil {
		return nil, err
	}
	used := map[int]bool{}
	for _, l := range labs {
		used[l.Subnet] = true
	}
	taken, err := takenPrefixes()
	if err != nil {
		return nil, err
	}
	subnet, err := chooseSubnet(used, taken)
	if err != nil {
		return nil, err
	}
	l := &Lab{
		Name: o.Name, Subnet: subnet, Image: image, Seed: o.Seed, Created: time.Now().UTC().Truncate(time.Second), Phase: phaseStarting,
		File:    filepath.Join(dir, o.Name+".yaml"),
		KeyFile: filepath.Join(dir, o.Name+".key"),
		Known:   filepath.Join(dir, o.Name+".known_hosts"),
	}
	if l.Hosts, err = planHosts(o, subnet); err != nil {
		return nil, err
	}
	if err := raiseSettings(); err != nil {
		return nil, fmt.Errorf("raise the machine's limits: %w", err)
	}
	if err := os.MkdirAll(l.dir(), 0o755); err != nil {
		return nil, err
	}
	return l, l.save()
}

// bootAll makes the keys and boots all hosts side by side.
func (l *Lab) bootAll(ctx context.Context, o Options) error {
	private, public, err := newKey("quorate lab " + l.Name)
	if err != nil {
		return fmt.Errorf("make ssh key: %w", err)
	}
	authorized := string(ssh.MarshalAuthorizedKey(public))
	signer, err := ssh.ParsePrivateKey([]byte(private))
	if err != nil {
		return err
	}
	var known strings.Builder
	g, gctx := errgroup.WithContext(ctx)
	for _, h := range l.Hosts {
		hostPrivate, hostPublic, err := newKey("root@" + h.Name)
		if err != nil {
			return fmt.Errorf("make ssh key of %s: %w", h.Name, err)
		}
		fmt.Fprintf(&known, "%s %s", h.Address, ssh.MarshalAuthorizedKey(hostPublic))
		config := &ssh.ClientConfig{
			User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(hostPublic),
			HostKeyAlgorithms: []string{ssh.KeyAlgoED25519}, Timeout: bootLimit,
		}
		g.Go(func() error {
			start := time.Now()
			if err := l.create(h, hostPrivate, authorized); err != nil {
				return fmt.Errorf("%s: make host: %w", h.Name, err)
			}
			if err := l.boot(gctx, h); err != nil {
				return fmt.Errorf("%s: boot host: %w", h.Name, err)
			}
			if err := l.awaitSSH(gctx, h, config); err != nil {
				return err
			}
			o.say("%s: up at %s after %.1f s", h.Name, h.Address, time.Since(start).Seconds())
			return nil
		})
	}
	err = errors.Join(
		os.WriteFile(l.ownFile("key"), []byte(private), 0o600),
		os.WriteFile(l.ownFile("known_hosts"), []byte(known.String()), 0o644),
		l.give(l.KeyFile, []byte(private), 0o600),
		l.give(l.Known, []byte(known.String()), 0o644),
	)
	return errors.Join(g.Wait(), err)
}

// ownFile is a file of the lab's state folder; the user's copies may go away.
func (l *Lab) ownFile(name string) string { return filepath.Join(l.dir(), name) }

// writeClusterFile writes NAME.yaml. One with other content is kept as
// NAME.yaml.old: it may have been edited.
func (l *Lab) writeClusterFile(o Options) error {
	text := l.clusterFile()
	if old, err := os.ReadFile(l.File); err == nil && string(old) != string(text) {
		if err := os.Rename(l.File, l.File+".old"); err != nil {
			return fmt.Errorf("keep the old cluster file: %w", err)
		}
		o.say("%s was there already: kept as %s.old", l.File, filepath.Base(l.File))
	}
	l.FileSum = digestOf(text)
	return l.give(l.File, text, 0o644)
}

// give writes a file for the user: who came here with sudo owns it.
func (l *Lab) give(path string, content []byte, mode os.FileMode) error {
	os.Remove(path) // a file of other owner or mode, or a link
	if err := os.WriteFile(path, content, mode); err != nil {
		return err
	}
	uid, errU := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, errG := strconv.Atoi(os.Getenv("SUDO_GID"))
	if errU == nil && errG == nil {
		return os.Chown(path, uid, gid)
	}
	return nil
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
