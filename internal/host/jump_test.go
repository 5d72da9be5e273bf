package host

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// greedy is a jump host that asks for passwords, by both methods, and keeps them.
type greedy struct {
	port int
	mu   sync.Mutex
	took []string
}

func newGreedy(t *testing.T) *greedy {
	t.Helper()
	g := &greedy{}
	take := func(pw string) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.took = append(g.took, pw)
		return errors.New("thank you")
	}
	conf := &ssh.ServerConfig{
		PasswordCallback: func(_ ssh.ConnMetadata, got []byte) (*ssh.Permissions, error) { return nil, take(string(got)) },
		KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			a, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil {
				return nil, err
			}
			return nil, take(a[0])
		},
	}
	g.port = authServer(t, conf)
	return g
}

func (g *greedy) passwords() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.took)
}

// Whoever runs the jump host learns the hosts' passwords if they are offered there.
func TestJumpHostIsOfferedItsOwnPasswordOnly(t *testing.T) {
	g := newGreedy(t)
	s := startSSHD(t)
	c := s.config(t)
	trust(t, &c)
	c.Jump = net.JoinHostPort("127.0.0.1", strconv.Itoa(g.port))
	file := func(name, text string) string { return s.write(t, name, text) }
	c.PasswordFile, c.SudoPasswordFile = file("pw", "of the hosts\n"), file("sudo", "of sudo\n")
	_, err := Connect(t.Context(), c)
	mentions(t, err, "jump host", "refused")
	if got := g.passwords(); len(got) > 0 {
		t.Errorf("the jump host was offered %q", got)
	}
	c.JumpPasswordFile = file("jump", "of the jump host\n")
	_, err = Connect(t.Context(), c)
	mentions(t, err, "jump host", "refused")
	if got := g.passwords(); len(got) == 0 || slices.ContainsFunc(got, func(pw string) bool { return pw != "of the jump host" }) {
		t.Errorf("the jump host was offered %q", got)
	}
}

// A password that others can read is refused, as ssh refuses such a key.
func TestPasswordFilesMustBeClosed(t *testing.T) {
	s := startSSHD(t)
	open := filepath.Join(s.dir, "open")
	if err := os.WriteFile(open, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for key, set := range map[string]func(*Config){
		"ssh.passwordFile":     func(c *Config) { c.PasswordFile = open },
		"ssh.jumpPasswordFile": func(c *Config) { c.Jump, c.JumpPasswordFile = s.addr(), open },
		"ssh.sudoPasswordFile": func(c *Config) { c.SudoPasswordFile, c.test.noSudo, c.test.useSudo = open, false, true },
	} {
		c := s.config(t)
		set(&c)
		_, err := Connect(t.Context(), c)
		mentions(t, err, key, "others can read it", "chmod 600 "+open)
	}
}
