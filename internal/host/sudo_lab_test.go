//go:build lab

package host

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// TestRealSudo makes two users on the lab host: one whose sudo wants the
// password, one whose sudo wants none.
func TestRealSudo(t *testing.T) {
	root := labHost(t)
	signer, err := keyFile(root.cfg.KeyFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	must := func(c Cmd) {
		t.Helper()
		if _, err := root.Run(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for user, rule := range map[string]string{"qop": "ALL", "qfree": "NOPASSWD: ALL", "qnone": ""} {
		must(Cmd{Args: []string{"sh", "-c", `id "$1" >/dev/null 2>&1 || useradd -m -s /bin/bash "$1"`, "sh", user}})
		must(Cmd{Args: []string{"chpasswd"}, Stdin: strings.NewReader(user + ":hunter2\n"), Secret: true})
		files := []File{{Path: "/home/" + user + "/.ssh/authorized_keys", Owner: user + ":" + user,
			Content: ssh.MarshalAuthorizedKey(signer.PublicKey())}}
		if rule != "" {
			files = append(files, File{Path: "/etc/sudoers.d/" + user, Mode: 0o440, Content: []byte(user + " ALL=(ALL) " + rule + "\n")})
		}
		if _, err := root.WriteFiles(t.Context(), files); err != nil {
			t.Fatal(err)
		}
	}
	pw := filepath.Join(t.TempDir(), "pw")
	os.WriteFile(pw, []byte("hunter2\n"), 0o600)
	wrong := filepath.Join(t.TempDir(), "wrong")
	os.WriteFile(wrong, []byte("wrong\n"), 0o600)
	as := func(user, pwFile string) Config {
		c := root.cfg
		c.User, c.SudoPasswordFile = user, pwFile
		return c
	}
	for _, c := range []Config{as("qop", pw), as("qfree", ""), as("qfree", pw)} {
		t.Run(c.User+" "+filepath.Base(c.SudoPasswordFile), func(t *testing.T) { tryAsRoot(t, mustConnect(t, c)) })
	}
	for _, c := range []Config{as("qop", ""), as("qop", wrong), as("qnone", pw)} {
		began := time.Now()
		_, err := Connect(t.Context(), c)
		mentions(t, err, "cp1", c.User, "cannot become root")
		t.Logf("after %v: %v", time.Since(began), err)
	}
}

func tryAsRoot(t *testing.T, h *sshHost) {
	ctx := within(t, 60*time.Second)
	in := bytes.Repeat([]byte("x\n"), 1<<19)
	res, err := h.Run(ctx, Cmd{Args: []string{"sh", "-c", "id -u >&2; cat"}, Stdin: bytes.NewReader(in)})
	if err != nil || string(res.Stderr) != "0\n" || !bytes.Equal(res.Stdout, in) {
		t.Errorf("%q, %d bytes, %v", res.Stderr, len(res.Stdout), err)
	}
	dir := "/etc/" + unitName(t)
	if _, err := h.WriteFiles(ctx, []File{{Path: dir + "/a", Content: []byte("a")},
		{Path: dir + "/b", Content: in, Mode: 0o600, Secret: true}}); err != nil {
		t.Fatal(err)
	}
	if kept, err := h.WriteFile(ctx, File{Path: dir + "/b", Content: []byte("b"), Mode: 0o600}); err != nil ||
		!strings.HasPrefix(kept, folders.Kept+"/2") {
		t.Errorf("kept %q, %v", kept, err)
	}
	if b, err := h.ReadFile(ctx, dir+"/b"); err != nil || string(b) != "b" {
		t.Errorf("%q, %v", b, err)
	}
	c := sh(unitName(t), "id -u; cat")
	c.Stdin = strings.NewReader("input")
	if res, err := h.Run(ctx, c); err != nil || string(res.Stdout) != "0\ninput" {
		t.Errorf("unit: %q, %v", res.Stdout, err)
	}
	if _, err := h.Upload(ctx, blob(t, 1<<20), dir+"/blob"); err != nil {
		t.Error(err)
	}
	// A socket that only root may open.
	n, err := h.Dial(ctx, "unix", "/run/systemd/private")
	if err != nil {
		t.Fatal(err)
	}
	n.Close()
	if n, err = h.Dial(ctx, "tcp", "127.0.0.1:22"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4)
	if _, err := n.Read(b); err != nil || string(b) != "SSH-" {
		t.Errorf("%q, %v", b, err)
	}
	n.Close()
}

func BenchmarkLabUpload(b *testing.B) {
	h := labHost(b)
	from := blob(b, 128<<20)
	b.SetBytes(from.Size)
	for b.Loop() {
		if _, err := h.Run(b.Context(), Cmd{Args: []string{"rm", "-f", "/root/blob"}}); err != nil {
			b.Fatal(err)
		}
		if _, err := h.Upload(b.Context(), from, "/root/blob"); err != nil {
			b.Fatal(err)
		}
	}
}
