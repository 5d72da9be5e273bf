package host

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// startAgent serves keys as ssh-agent does, and points SSH_AUTH_SOCK at it.
func startAgent(t *testing.T, keys ...any) {
	t.Helper()
	ring := agent.NewKeyring()
	for _, k := range keys {
		if err := ring.Add(agent.AddedKey{PrivateKey: k}); err != nil {
			t.Fatal(err)
		}
	}
	sock := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	t.Setenv("SSH_AUTH_SOCK", sock)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(ring, c)
		}
	}()
}

func rawKey(t *testing.T, file string) any {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ssh.ParseRawPrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newKey(t *testing.T) ed25519.PrivateKey {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeys(t *testing.T) {
	s := startSSHD(t)
	good := rawKey(t, s.key)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(good.(*ed25519.PrivateKey), "", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	encrypted := s.write(t, "encrypted", string(pem.EncodeToMemory(block)))

	t.Run("file below home", func(t *testing.T) {
		c := s.config(t)
		t.Setenv("HOME", s.dir)
		c.KeyFile, c.KnownHostsFile = "~/id", "~/known_hosts"
		mustConnect(t, c)
	})
	t.Run("agent", func(t *testing.T) {
		c := s.config(t)
		t.Setenv("HOME", t.TempDir())
		c.KeyFile = ""
		startAgent(t, newKey(t), good)
		mustConnect(t, c)
	})
	t.Run("file before a full agent", func(t *testing.T) {
		c := s.config(t)
		startAgent(t, newKey(t), newKey(t), newKey(t), newKey(t), newKey(t), newKey(t), newKey(t))
		mustConnect(t, c)
	})
	t.Run("encrypted, in the agent", func(t *testing.T) {
		c := s.config(t)
		c.KeyFile = encrypted
		startAgent(t, newKey(t), newKey(t), newKey(t), newKey(t), newKey(t), newKey(t), good)
		mustConnect(t, c)
	})
	t.Run("encrypted, not in the agent", func(t *testing.T) {
		c := s.config(t)
		c.KeyFile = encrypted
		_, err := Connect(t.Context(), c)
		mentions(t, err, "cp1", "encrypted", "ssh-add "+encrypted)
	})
	t.Run("missing file", func(t *testing.T) {
		c := s.config(t)
		c.KeyFile = "/nonexistent/key"
		_, err := Connect(t.Context(), c)
		mentions(t, err, "cp1", "/nonexistent/key", "ssh-keygen")
	})
	t.Run("no key at all", func(t *testing.T) {
		c := s.config(t)
		t.Setenv("HOME", t.TempDir())
		c.KeyFile = ""
		_, err := Connect(t.Context(), c)
		mentions(t, err, "cp1", "ssh.keyFile", "ssh-add")
	})
	t.Run("wrong key", func(t *testing.T) {
		c := s.config(t)
		s.writeKey(t, "other")
		c.KeyFile = s.dir + "/other"
		_, err := Connect(t.Context(), c)
		mentions(t, err, "cp1", "refused user "+c.User, "try ssh -p")
	})
}

// TestPassword logs in to a server that takes nothing else; sshd would want
// the password of a real user.
func TestPassword(t *testing.T) {
	for _, kind := range []string{"password", "keyboard-interactive"} {
		t.Run(kind, func(t *testing.T) {
			c := Config{Name: "cp1", Address: "127.0.0.1", Port: passwordServer(t, kind, "hunter2"), User: "u", test: testConfig{noSudo: true}}
			trust(t, &c)
			t.Setenv("HOME", t.TempDir())
			c.PasswordFile = filepath.Join(t.TempDir(), "pw")
			os.WriteFile(c.PasswordFile, []byte("hunter2\n"), 0o600)
			mustConnect(t, c)
			os.WriteFile(c.PasswordFile, []byte("wrong\n"), 0o600)
			_, err := Connect(t.Context(), c)
			mentions(t, err, "cp1", "refused user u")
			c.PasswordFile += ".none"
			_, err = Connect(t.Context(), c)
			mentions(t, err, "cp1", "ssh.passwordFile")
		})
	}
}

func passwordServer(t *testing.T, kind, pw string) int {
	conf := &ssh.ServerConfig{}
	if kind == "password" {
		conf.PasswordCallback = func(_ ssh.ConnMetadata, got []byte) (*ssh.Permissions, error) { return nil, same(string(got), pw) }
	} else {
		conf.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			a, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil {
				return nil, err
			}
			return nil, same(a[0], pw)
		}
	}
	return authServer(t, conf)
}

// authServer lets log in, and no more. It returns its port.
func authServer(t *testing.T, conf *ssh.ServerConfig) int {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	conf.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, chans, reqs, err := ssh.NewServerConn(c, conf); err == nil {
					go ssh.DiscardRequests(reqs)
					for ch := range chans {
						ch.Reject(ssh.Prohibited, "")
					}
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func same(a, b string) error {
	if a != b {
		return errors.New("no")
	}
	return nil
}

// TestSudo uses a sudo of our own that behaves like the real one towards its
// standard input; that of lab hosts is tried with the tag lab.
func TestSudo(t *testing.T) {
	bin := t.TempDir()
	s := startSSHD(t, "SetEnv SHLVL=1 PATH="+bin+":/usr/bin:/bin")
	fake := func(body string) {
		os.WriteFile(bin+"/sudo", []byte("#!/bin/sh\necho \"$@\" >>"+bin+"/log\n"+body+
			"\nwhile [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\"\n"), 0o755)
	}
	c := s.config(t)
	c.test.noSudo, c.test.useSudo = false, true
	input := Cmd{Args: []string{"cat"}, Stdin: strings.NewReader("")}
	cat := func(t *testing.T, h Host) {
		t.Helper()
		input.Stdin = io.MultiReader(strings.NewReader("line 1\n"), strings.NewReader("\x00line 2"))
		res, err := h.Run(t.Context(), input)
		if err != nil || string(res.Stdout) != "line 1\n\x00line 2" {
			t.Errorf("got %q, %v", res.Stdout, err)
		}
	}
	t.Run("without a password", func(t *testing.T) {
		fake(`[ "$1" = -n ] || exit 1`)
		cat(t, mustConnect(t, c))
	})
	t.Run("not allowed", func(t *testing.T) {
		fake(`echo "sudo: a password is required" >&2; exit 1`)
		_, err := Connect(t.Context(), c)
		mentions(t, err, "cp1", "a password is required", "NOPASSWD", "ssh.sudoPasswordFile")
	})
	c.SudoPasswordFile = filepath.Join(t.TempDir(), "pw")
	os.WriteFile(c.SudoPasswordFile, []byte("hunter2\n"), 0o600)
	t.Run("with a password", func(t *testing.T) {
		fake(`read -r pw; [ "$pw" = hunter2 ] || { echo "sudo: wrong" >&2; exit 1; }`)
		cat(t, mustConnect(t, c))
	})
	t.Run("with a password that is not asked for", func(t *testing.T) {
		fake("")
		cat(t, mustConnect(t, c))
	})
	t.Run("wrong password", func(t *testing.T) {
		fake(`read -r pw; [ "$pw" = other ] || { echo "sudo: 1 incorrect password attempt" >&2; exit 1; }`)
		_, err := Connect(t.Context(), c)
		mentions(t, err, "cp1", c.SudoPasswordFile, "incorrect password")
	})
	if b, err := os.ReadFile(bin + "/log"); err != nil || strings.Contains(string(b), "hunter2") {
		t.Errorf("the password is in an argument: %s %v", b, err)
	}
}
