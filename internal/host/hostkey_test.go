package host

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func TestHostKeys(t *testing.T) {
	s := startSSHD(t)
	hostKey, err := ssh.NewSignerFromKey(rawKey(t, s.dir+"/hostkey"))
	if err != nil {
		t.Fatal(err)
	}
	print := ssh.FingerprintSHA256(hostKey.PublicKey())
	other, _ := ssh.NewSignerFromKey(newKey(t))

	t.Run("unknown", func(t *testing.T) {
		c := s.config(t)
		c.KnownHostsFile = filepath.Join(t.TempDir(), "none")
		_, err := Connect(t.Context(), c)
		mentions(t, err, "cp1", print, "--accept-new", "ssh-keyscan")
	})
	t.Run("confirmed and recorded, asked once", func(t *testing.T) {
		c := s.config(t)
		c.KnownHostsFile = filepath.Join(t.TempDir(), "new/known_hosts")
		var asked []string
		c.Confirm = func(host, p string) (bool, error) {
			time.Sleep(200 * time.Millisecond)
			asked = append(asked, host+" "+p)
			return true, nil
		}
		c.ConnectTimeout = 5 * time.Second
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if h, err := Connect(t.Context(), c); err != nil {
					t.Error(err)
				} else {
					h.Close()
				}
			})
		}
		wg.Wait()
		if len(asked) != 1 || !strings.HasPrefix(asked[0], "cp1 (127.0.0.1:") || !strings.HasSuffix(asked[0], print) {
			t.Errorf("asked %q", asked)
		}
		c.Confirm = nil
		mustConnect(t, c)
	})
	t.Run("thinking takes longer than the timeout", func(t *testing.T) {
		// A busy machine needs longer for the rest, too.
		for timeout := 400 * time.Millisecond; ; timeout *= 3 {
			c := s.config(t)
			trust(t, &c)
			c.ConnectTimeout = timeout
			c.Confirm = func(string, string) (bool, error) { time.Sleep(timeout * 5 / 4); return true, nil }
			h, err := Connect(t.Context(), c)
			if err == nil {
				h.Close()
				return
			}
			if timeout > 10*time.Second {
				t.Fatal(err)
			}
		}
	})
	t.Run("said no", func(t *testing.T) {
		c := s.config(t)
		trust(t, &c)
		c.Confirm = func(string, string) (bool, error) { return false, nil }
		_, err := Connect(t.Context(), c)
		mentions(t, err, "cp1", "not accepted")
	})
	t.Run("changed", func(t *testing.T) {
		c := s.config(t)
		trust(t, &c)
		c.Confirm = func(string, string) (bool, error) { t.Error("asked"); return true, nil }
		line := knownhosts.Line([]string{knownhosts.Normalize(s.addr())}, other.PublicKey())
		os.WriteFile(c.KnownHostsFile, []byte(line+"\n"), 0o600)
		_, err := Connect(t.Context(), c)
		mentions(t, err, "cp1", "CHANGED", print, "ssh-keygen -f "+c.KnownHostsFile+" -R")
	})
	t.Run("damaged file", func(t *testing.T) {
		c := s.config(t)
		trust(t, &c)
		os.WriteFile(c.KnownHostsFile, []byte("127.0.0.1 ssh-ed25519 AAAA!\n"), 0o600)
		_, err := Connect(t.Context(), c)
		mentions(t, err, "cp1", "known_hosts")
	})
}

// TestSeveralHostKeyTypes: sshd would rather show its ed25519 key, but we know
// the other one.
func TestSeveralHostKeyTypes(t *testing.T) {
	dir := t.TempDir()
	ec := ecdsaKey(t, dir+"/ec")
	s := startSSHD(t, "HostKey "+dir+"/ec")
	c := s.config(t)
	s.write(t, "known_hosts", knownhosts.Line([]string{knownhosts.Normalize(s.addr())}, ec)+"\n")
	mustConnect(t, c)
}
