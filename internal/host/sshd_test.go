package host

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// TestMain takes the user's agent away: tests that want one have their own.
func TestMain(m *testing.M) {
	os.Unsetenv("SSH_AUTH_SOCK")
	os.Exit(m.Run())
}

// sshd is a real OpenSSH server of a test's own on 127.0.0.1.
type sshd struct {
	dir, key, known string
	port            int
	pid             int
}

// startSSHD starts it with extra lines of sshd_config.
func startSSHD(t testing.TB, extra ...string) *sshd {
	t.Helper()
	bin, err := exec.LookPath("sshd")
	if err != nil {
		bin = "/usr/sbin/sshd"
	}
	if _, err := os.Stat(bin); err != nil {
		t.Fatal("these tests need sshd: run make setup, or apt-get install openssh-server")
	}
	if os.Geteuid() == 0 {
		os.MkdirAll("/run/sshd", 0o755)
	}
	s := &sshd{dir: t.TempDir()}
	pub := s.writeKey(t, "id")
	hostPub := s.writeKey(t, "hostkey")
	s.key = filepath.Join(s.dir, "id")
	s.write(t, "authorized_keys", string(ssh.MarshalAuthorizedKey(pub)))

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	s.known = s.write(t, "known_hosts", knownhosts.Line([]string{knownhosts.Normalize(s.addr())}, hostPub)+"\n")
	// Of SHLVL, bash sees that it need not read .bashrc, which costs more than the
	// tests. The first value of an option wins.
	lines := append(extra,
		"ListenAddress "+s.addr(), "HostKey "+s.dir+"/hostkey", "AuthorizedKeysFile "+s.dir+"/authorized_keys",
		"StrictModes no", "PermitRootLogin yes", "PasswordAuthentication no", "UsePAM no", "SetEnv SHLVL=1", "PidFile none", "MaxStartups 100")
	conf := s.write(t, "sshd_config", strings.Join(lines, "\n")+"\n")
	s.run(t, bin, "-D", "-e", "-f", conf)
	return s
}

func (s *sshd) run(t testing.TB, bin string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("sshd said:\n%s", b)
		}
	})
	for range 200 {
		if c, err := net.Dial("tcp", s.addr()); err == nil {
			c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	b, _ := os.ReadFile(log.Name())
	t.Fatalf("sshd does not listen:\n%s", b)
}

func (s *sshd) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

func (s *sshd) write(t testing.TB, name, text string) string {
	t.Helper()
	p := filepath.Join(s.dir, name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// writeKey makes a key pair and returns the public half.
func (s *sshd) writeKey(t testing.TB, name string) ssh.PublicKey {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(priv, "")
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, name, string(pem.EncodeToMemory(block)))
	p, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// config reaches the server as who we are; what we write to fixed places goes
// below its folder.
func (s *sshd) config(t testing.TB) Config {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Name: "cp1", Address: "127.0.0.1", Port: s.port, User: u.Username,
		KeyFile: s.key, KnownHostsFile: s.known,
		test: testConfig{noSudo: true, root: s.dir + "/root", owner: me(t)},
	}
}

func (s *sshd) connect(t testing.TB) *sshHost { return mustConnect(t, s.config(t)) }

func mustConnect(t testing.TB, c Config) *sshHost {
	t.Helper()
	h, err := Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h.(*sshHost)
}

// me is the Owner that a test may give to files.
func me(t testing.TB) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return u.Username + ":" + g.Name
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func mentions(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that mentions %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error does not mention %q: %v", w, err)
		}
	}
}
