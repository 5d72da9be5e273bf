package host

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/localfile"
)

// Config says how one host is reached. Zero values mean what ssh(1) means by
// leaving them out.
type Config struct {
	Name             string // in the cluster file; default Address
	Address          string // host name or IP, without port
	Port             int    // default 22
	User             string // default root; others become root by sudo
	KeyFile          string // default: the agent, then ~/.ssh/id_*
	PasswordFile     string
	KnownHostsFile   string // default ~/.ssh/known_hosts
	Jump             string // [user@]host[:port]
	JumpPasswordFile string // of the jump host, which is offered no other; default: keys only
	SudoPasswordFile string // default: sudo must need none

	// Confirm is asked about a host key that known_hosts does not have; yes
	// records it. Nil refuses. It is called for one host at a time.
	Confirm func(host, fingerprint string) (bool, error)

	// Pace shortens DialTimeout and ConnectTimeout while other hosts answer quickly; nil: it does not.
	Pace *Pace

	DialTimeout    time.Duration // default 5s, for the TCP connection alone: see Pace
	ConnectTimeout time.Duration // default 15s, handshake included
	KeepAlive      time.Duration // default 3s; three of them in silence break the connection

	via  bool   // this is a jump host
	of   string // the host of the cluster file that a jump host is for
	test testConfig
}

// testConfig moves what a test cannot have in its usual place.
type testConfig struct {
	noSudo   bool   // the login user is good enough
	useSudo  bool   // even root uses it
	root     string // before folders.Kept and folders.Run
	owner    string // of uploads
	path     string // PATH on the host
	sessions int    // at once on one connection
}

// folders are where replaced files go (in a folder per write named for its time in
// UTC, below it the file's own path), and where locks lie and what units read
// and print.
var folders = layout.Quorate()

// hostPath is the PATH of every command, the same for root and for sudo.
const hostPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// maxSessions leaves some of sshd's default MaxSessions (10) to others.
const maxSessions = 8

func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = c.Address
	}
	if c.Port == 0 {
		c.Port = 22
	}
	if c.User == "" {
		c.User = "root"
	}
	if c.of == "" {
		c.of = c.Name
	}
	if c.DialTimeout == 0 {
		c.DialTimeout = dialTimeout
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 15 * time.Second
	}
	if c.KeepAlive == 0 {
		c.KeepAlive = 3 * time.Second
	}
	if c.test.path == "" {
		c.test.path = hostPath
	}
	if c.test.sessions == 0 {
		c.test.sessions = maxSessions
	}
	return c
}

func (c Config) addr() string { return net.JoinHostPort(c.Address, strconv.Itoa(c.Port)) }

// sudo tells whether commands need it.
func (c Config) sudo() bool { return (c.User != "root" || c.test.useSudo) && !c.test.noSudo }

// jump is the way to the jump host: the same keys, its own user, port and
// password. Whoever runs it must not learn the hosts' passwords.
func (c Config) jump() (Config, error) {
	j := Config{
		Name: c.Name + " (jump host)", User: c.User, KeyFile: c.KeyFile, PasswordFile: c.JumpPasswordFile, via: true,
		KnownHostsFile: c.KnownHostsFile, Confirm: c.Confirm,
		DialTimeout: c.DialTimeout, ConnectTimeout: c.ConnectTimeout, KeepAlive: c.KeepAlive, of: c.of,
	}
	rest := c.Jump
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		j.User, rest = rest[:i], rest[i+1:]
	}
	j.Address = strings.Trim(rest, "[]")
	if h, p, err := net.SplitHostPort(rest); err == nil {
		n, err := strconv.Atoi(p)
		if err != nil {
			return j, Errorf(c.Name, "ssh.jump %q: port is not a number: write it as user@host:port", c.Jump)
		}
		j.Address, j.Port = h, n
	}
	if j.Address == "" {
		return j, Errorf(c.Name, "ssh.jump %q names no host: write it as user@host:port", c.Jump)
	}
	return j.withDefaults(), nil
}

// expand replaces a leading "~/" by the home directory.
func expand(p string) (string, error) {
	rest, ok := strings.CutPrefix(p, "~/")
	if !ok {
		return p, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, rest), nil
}

// passwordKey is the file's key for the password of c.
func (c Config) passwordKey() string {
	if c.via {
		return "ssh.jumpPasswordFile"
	}
	return "ssh.passwordFile"
}

// readSecret reads a password file, without its last line break.
func readSecret(file string) (string, error) {
	p, err := expand(file)
	if err != nil {
		return "", err
	}
	b, err := localfile.ReadSecret(p)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
