package host

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// blob writes a file that compresses about as well as a Go binary.
func blob(t testing.TB, size int) Blob {
	t.Helper()
	r := rand.New(rand.NewPCG(1, uint64(size)))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.IntN(1 << (i / 512 % 9)))
	}
	p := filepath.Join(t.TempDir(), "blob")
	if err := os.WriteFile(p, b, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return Blob{Path: p, SHA256: hex.EncodeToString(sum[:]), Size: int64(size), Mode: 0o755}
}

func TestUpload(t *testing.T) {
	s := startSSHD(t)
	noZstd := s.config(t)
	noZstd.test.path = t.TempDir()
	for _, tool := range []string{"sh", "env", "head", "cat", "wc", "sha256sum", "chown", "chmod", "rm", "mv", "mkdir", "grep", "gzip",
		"sync", "timeout"} {
		p, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		os.Symlink(p, filepath.Join(noZstd.test.path, tool))
	}
	for name, h := range map[string]*sshHost{"zstd": s.connect(t), "gzip": mustConnect(t, noZstd)} {
		t.Run(name, func(t *testing.T) { tryUpload(t, h) })
	}
}

func tryUpload(t *testing.T, h *sshHost) {
	b := blob(t, 2<<20)
	want, _ := os.ReadFile(b.Path)
	to := filepath.Join(t.TempDir(), "a b", "kubelet")
	upload := func(t *testing.T, least, most int64) {
		t.Helper()
		sent, err := h.Upload(within(t, 2*time.Minute), b, to)
		if err != nil || sent < least || sent > most {
			t.Fatalf("sent %d, want %d to %d; %v", sent, least, most, err)
		}
		got, _ := os.ReadFile(to)
		if st, err := os.Stat(to); err != nil || st.Mode() != 0o755 || !bytes.Equal(got, want) {
			t.Fatalf("%v, %d bytes", err, len(got))
		}
		if left, _ := filepath.Glob(to + ".*"); len(left) > 0 {
			t.Errorf("left over: %q", left)
		}
	}
	t.Run("new", func(t *testing.T) { upload(t, 1000, b.Size*9/10) })
	t.Run("there already", func(t *testing.T) { upload(t, 0, 0) })
	t.Run("there with another mode", func(t *testing.T) { os.Chmod(to, 0o600); upload(t, 0, 0) })
	t.Run("other content", func(t *testing.T) {
		os.WriteFile(to, []byte("x"), 0o755)
		upload(t, 1000, b.Size)
	})
	t.Run("resumed", func(t *testing.T) {
		os.Rename(to, to+".partial")
		os.Truncate(to+".partial", b.Size*9/10)
		upload(t, 1000, b.Size/5)
	})
	t.Run("only the rename was missing", func(t *testing.T) { os.Rename(to, to+".partial"); upload(t, 1, 100) })
	t.Run("partial is of something else", func(t *testing.T) {
		os.Remove(to)
		os.WriteFile(to+".partial", bytes.Repeat([]byte("z"), 1<<20), 0o600)
		upload(t, b.Size/5, b.Size)
	})
	t.Run("partial is longer", func(t *testing.T) {
		os.Rename(to, to+".partial")
		f, _ := os.OpenFile(to+".partial", os.O_APPEND|os.O_WRONLY, 0)
		f.WriteString("more")
		f.Close()
		upload(t, b.Size/5, b.Size)
	})
	t.Run("digest is wrong", func(t *testing.T) {
		bad := b
		bad.SHA256 = hex.EncodeToString(make([]byte, 32))
		_, err := h.Upload(t.Context(), bad, to+"2")
		mentions(t, err, "cp1: upload", "another digest")
		if left, _ := filepath.Glob(to + "2*"); len(left) > 0 {
			t.Errorf("left over: %q", left)
		}
	})
	t.Run("local file is another", func(t *testing.T) {
		bad := b
		bad.Size++
		_, err := h.Upload(t.Context(), bad, to)
		mentions(t, err, "cp1: upload", b.Path, "fetch it again")
	})
}

func TestUploadBrokenOffAndResumed(t *testing.T) {
	s := startSSHD(t)
	h := s.connect(t)
	b := blob(t, 32<<20)
	to := filepath.Join(t.TempDir(), "big")
	go func() {
		for range 20000 { // break it once some has arrived
			if st, err := os.Stat(to + ".partial"); err == nil && st.Size() > 4<<20 {
				s.killSessions(t)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	first, err := h.Upload(within(t, 2*time.Minute), b, to)
	mentions(t, err, "cp1: upload", "connection lost")
	st, err := os.Stat(to + ".partial")
	if err != nil {
		t.Fatal(err)
	}
	second, err := h.Upload(within(t, 2*time.Minute), b, to)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("sent %d, kept %d of %d, sent %d more", first, st.Size(), b.Size, second)
	if second > b.Size-st.Size()+1<<20 {
		t.Errorf("sent %d again though %d of %d were there", second, st.Size(), b.Size)
	}
}

// What unpacks for a connection that broke may go on when it is not expected to,
// and has the file open that is put in place.
func TestUploadBesideAnOldOne(t *testing.T) {
	real, err := exec.LookPath("zstd")
	if err != nil {
		t.Skip("needs zstd")
	}
	s, dir := startSSHD(t), t.TempDir()
	cfg := s.config(t)
	cfg.test.path = dir + ":" + os.Getenv("PATH")
	script := `#!/bin/sh
cd ` + dir + `; [ ! -e broken ] || exec ` + real + ` "$@"
touch broken
` + real + ` "$@" 2>/dev/null | {
	head -c 1000000
	until [ -e go ]; do sleep 0.05; done
	head -c 1000000
	touch gone
}
exit 1
`
	if err := os.WriteFile(dir+"/zstd", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	h := mustConnect(t, cfg)
	b, to := blob(t, 8<<20), filepath.Join(t.TempDir(), "big")
	go func() {
		for range 20000 {
			if st, err := os.Stat(to + ".partial"); err == nil && st.Size() >= 1000000 {
				s.killSessions(t)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	_, err = h.Upload(within(t, 2*time.Minute), b, to)
	mentions(t, err, "connection lost")
	if _, err := h.Upload(within(t, 2*time.Minute), b, to); err != nil {
		t.Error(err)
	}
	os.WriteFile(dir+"/go", nil, 0o600)
	for range 2000 {
		if _, err := os.Stat(dir + "/gone"); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if got, err := os.ReadFile(to); err != nil || sha256.Sum256(got) != sha256.Sum256(whole(t, b)) {
		t.Errorf("%v; the file has %d bytes, not %d: another connection wrote into it", err, len(got), b.Size)
	}
}

func whole(t *testing.T, b Blob) []byte {
	t.Helper()
	text, err := os.ReadFile(b.Path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestUploadDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a small file system needs root to mount")
	}
	h := startSSHD(t).connect(t)
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "none", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %s", out)
	}
	t.Cleanup(func() { exec.Command("umount", dir).Run() })
	_, err := h.Upload(t.Context(), blob(t, 4<<20), dir+"/x")
	mentions(t, err, "cp1: upload", "disk is full")
	if left, _ := filepath.Glob(dir + "/*"); len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
}

func BenchmarkUpload(b *testing.B) {
	h := startSSHD(b).connect(b)
	from := blob(b, 128<<20)
	to := filepath.Join(b.TempDir(), "x")
	b.SetBytes(from.Size)
	for b.Loop() {
		os.Remove(to)
		if _, err := h.Upload(b.Context(), from, to); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	h := startSSHD(b).connect(b)
	for b.Loop() {
		if _, err := h.Run(b.Context(), Cmd{Args: []string{"true"}}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteFiles20(b *testing.B) {
	h := startSSHD(b).connect(b)
	dir := b.TempDir()
	files := make([]File, 20)
	n := 0
	for b.Loop() {
		n++
		for i := range files {
			files[i] = File{Path: filepath.Join(dir, string(rune('a'+i))), Content: bytes.Repeat([]byte{byte(n), byte(n >> 8)}, 2000), Owner: me(b)}
		}
		if _, err := h.WriteFiles(b.Context(), files); err != nil {
			b.Fatal(err)
		}
	}
}
