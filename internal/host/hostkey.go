package host

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// asking lets one question about a host key be asked at a time, and one line
// be written at a time.
var asking sync.Mutex

// hostKeys checks host keys against known_hosts, strictly: an unknown key needs
// a yes, a changed one is never taken.
type hostKeys struct {
	cfg  Config
	file string
	// pause stops the connect timeout while a person thinks.
	pause, resume func()
}

func newHostKeys(c Config, pause, resume func()) (*hostKeys, error) {
	file := c.KnownHostsFile
	if file == "" {
		file = "~/.ssh/known_hosts"
	}
	file, err := expand(file)
	if err != nil {
		return nil, Errorf(c.Name, "ssh.knownHostsFile: %w", err)
	}
	return &hostKeys{cfg: c, file: file, pause: pause, resume: resume}, nil
}

// read parses the file as it is now: others may have added to it.
func (k *hostKeys) read() (ssh.HostKeyCallback, error) {
	var files []string
	for _, f := range []string{k.file, "/etc/ssh/ssh_known_hosts"} {
		if f != k.file && k.cfg.KnownHostsFile != "" {
			continue
		}
		if _, err := os.Stat(f); err == nil {
			files = append(files, f)
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, Errorf(k.cfg.Name, "%w", err)
		}
	}
	db, err := knownhosts.New(files...)
	if err != nil {
		return nil, Errorf(k.cfg.Name, "read known hosts: %w", err)
	}
	return db, nil
}

// algorithms are those of the keys we know for the host, so that the server
// shows a key we can compare; none means any.
func (k *hostKeys) algorithms(addr string) ([]string, error) {
	db, err := k.read()
	if err != nil {
		return nil, err
	}
	var unknown *knownhosts.KeyError
	if !errors.As(db(addr, &net.TCPAddr{}, noKey{}), &unknown) {
		return nil, nil
	}
	var algos []string
	for _, w := range unknown.Want {
		if t := w.Key.Type(); t == ssh.KeyAlgoRSA {
			algos = append(algos, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		} else {
			algos = append(algos, t)
		}
	}
	slices.Sort(algos)
	return slices.Compact(algos), nil
}

// check is the ssh.HostKeyCallback.
func (k *hostKeys) check(addr string, remote net.Addr, key ssh.PublicKey) error {
	err := k.lookup(addr, remote, key)
	var bad *knownhosts.KeyError
	if !errors.As(err, &bad) || len(bad.Want) > 0 {
		return err
	}
	k.pause()
	defer k.resume()
	asking.Lock()
	defer asking.Unlock()
	// Another host behind the same address may have been answered meanwhile.
	if err = k.lookup(addr, remote, key); !errors.As(err, &bad) || len(bad.Want) > 0 {
		return err
	}
	print := ssh.FingerprintSHA256(key)
	if k.cfg.Confirm == nil {
		return fmt.Errorf("%w: %s shows a %s key %s that %s does not have: compare it with the host's own (ssh-keygen -lf "+
			"/etc/ssh/ssh_host_*_key.pub), then use --accept-new or ssh-keyscan -p %d %s >> %s",
			errHostKey, addr, key.Type(), print, k.file, k.cfg.Port, k.cfg.Address, k.file)
	}
	yes, err := k.cfg.Confirm(fmt.Sprintf("%s (%s)", k.cfg.Name, addr), print)
	if err != nil {
		return err
	}
	if !yes {
		return fmt.Errorf("%w: key %s of %s was not accepted", errHostKey, print, addr)
	}
	return k.record(addr, key)
}

// errHostKey marks refusals by us, which no retry mends.
var errHostKey = errors.New("host key not trusted")

func (k *hostKeys) lookup(addr string, remote net.Addr, key ssh.PublicKey) error {
	db, err := k.read()
	if err != nil {
		return err
	}
	err = db(addr, remote, key)
	var bad *knownhosts.KeyError
	if errors.As(err, &bad) && len(bad.Want) > 0 {
		w := bad.Want[0]
		return fmt.Errorf("%w: THE HOST KEY OF %s HAS CHANGED: it shows %s %s, but %s:%d has %s: if the machine was reinstalled, remove "+
			"the line with ssh-keygen -f %s -R %s and accept the new key with --accept-new; if not, someone may be intercepting the connection (%w)",
			errHostKey, addr, key.Type(), ssh.FingerprintSHA256(key), w.Filename, w.Line, ssh.FingerprintSHA256(w.Key),
			quote(w.Filename), quote(knownhosts.Normalize(addr)), err)
	}
	return err
}

// record adds a line for the key.
func (k *hostKeys) record(addr string, key ssh.PublicKey) error {
	if err := os.MkdirAll(filepath.Dir(k.file), 0o700); err != nil {
		return fmt.Errorf("record host key: %w", err)
	}
	line := knownhosts.Line([]string{knownhosts.Normalize(addr)}, key) + "\n"
	if old, err := os.ReadFile(k.file); err == nil && len(old) > 0 && old[len(old)-1] != '\n' {
		line = "\n" + line
	}
	f, err := os.OpenFile(k.file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("record host key: %w", err)
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}

// noKey matches no line, to list those there are.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return nil }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }
