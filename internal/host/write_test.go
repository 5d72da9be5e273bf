package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestWriteFiles(t *testing.T) {
	s := startSSHD(t)
	h := s.connect(t)
	dir := t.TempDir()
	own := me(t)
	at := func(n string) string { return filepath.Join(dir, n) }
	put := func(n, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(at(n), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	put("same", "same", 0o600)
	put("old", "old content", 0o640)
	past := time.Now().Add(-time.Hour)
	os.Chtimes(at("same"), past, past)

	kept, err := h.WriteFiles(t.Context(), []File{
		{Path: at("new"), Content: []byte("new\x00\xff"), Owner: own},
		{Path: at("same"), Content: []byte("same"), Mode: 0o644, Owner: own},
		{Path: at("old"), Content: []byte("fresh"), Mode: 0o600, Owner: own},
		{Path: at("a b/it's/empty"), Owner: own},
		{Path: at("pki/sub/key"), Content: []byte("key"), Mode: 0o600, Owner: own, Secret: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct {
		name, text string
		mode       os.FileMode
	}{
		{"new", "new\x00\xff", 0o644}, {"same", "same", 0o644}, {"old", "fresh", 0o600}, {"a b/it's/empty", "", 0o644},
		{"pki/sub/key", "key", 0o600},
		{"a b/it's", "", os.ModeDir | 0o755}, {"pki", "", os.ModeDir | 0o700}, {"pki/sub", "", os.ModeDir | 0o700},
	} {
		st, err := os.Stat(at(w.name))
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode() != w.mode {
			t.Errorf("%s: mode %v, want %v", w.name, st.Mode(), w.mode)
		}
		if b, _ := os.ReadFile(at(w.name)); !st.IsDir() && string(b) != w.text {
			t.Errorf("%s: %q, want %q", w.name, b, w.text)
		}
	}
	if st, _ := os.Stat(at("same")); !st.ModTime().Equal(past) {
		t.Errorf("same content was written again: %v", st.ModTime())
	}
	keptDir := s.dir + "/root" + folders.Kept
	if len(kept) != 5 || kept[0]+kept[1]+kept[3]+kept[4] != "" ||
		!strings.HasPrefix(kept[2], keptDir+"/20") || !strings.HasSuffix(kept[2], "Z"+at("old")) {
		t.Fatalf("kept %q", kept)
	}
	if b, _ := os.ReadFile(kept[2]); string(b) != "old content" {
		t.Errorf("kept content %q", b)
	}
	if st, _ := os.Stat(kept[2]); st.Mode() != 0o640 {
		t.Errorf("kept mode %v", st.Mode())
	}
	if st, _ := os.Stat(keptDir); st.Mode().Perm() != 0o700 {
		t.Errorf("kept folder's mode %v", st.Mode())
	}
	again, err := h.WriteFile(t.Context(), File{Path: at("old"), Content: []byte("third"), Owner: own})
	if b, _ := os.ReadFile(again); err != nil || again == kept[2] || string(b) != "fresh" {
		t.Errorf("second keep within a second: %q, %q, %v", again, b, err)
	}
	noLeftovers(t, dir)
}

// noLeftovers wants no staged file anywhere below dir.
func noLeftovers(t *testing.T, dir string) {
	t.Helper()
	out, err := exec.Command("find", dir, "-name", ".quorate-*").Output()
	if err != nil || len(out) > 0 {
		t.Errorf("left over: %s %v", out, err)
	}
}

func TestWriteFilesAllOrNothing(t *testing.T) {
	s := startSSHD(t)
	h := s.connect(t)
	dir := t.TempDir()
	first := filepath.Join(dir, "first")
	if err := os.WriteFile(first, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	os.Mkdir(filepath.Join(dir, "d"), 0o755)
	os.WriteFile(filepath.Join(dir, "f"), nil, 0o644)
	for name, bad := range map[string]File{
		"is a folder":    {Path: filepath.Join(dir, "d"), Owner: me(t)},
		"below a file":   {Path: filepath.Join(dir, "f/x"), Owner: me(t)},
		"no such user":   {Path: filepath.Join(dir, "x"), Owner: "nosuchuser:nosuchgroup", Content: []byte("hunter2"), Secret: true},
		"not absolute":   {Path: "x"},
		"not clean":      {Path: dir + "/../x"},
		"line break":     {Path: dir + "/a\nb"},
		"twice":          {Path: first, Owner: me(t)},
		"owner nonsense": {Path: dir + "/x", Owner: "root"},
		"mode nonsense":  {Path: dir + "/x", Owner: me(t), Mode: 0o100644},
	} {
		_, err := h.WriteFiles(t.Context(), []File{{Path: first, Content: []byte("after"), Owner: me(t)}, bad})
		mentions(t, err, "cp1: write "+first)
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: secret in %v", name, err)
		}
		if b, _ := os.ReadFile(first); string(b) != "before" {
			t.Errorf("%s: %v, yet the first is %q", name, err, b)
		}
	}
	noLeftovers(t, dir)
	if left, _ := filepath.Glob(s.dir + "/root" + folders.Kept + "/*"); len(left) > 0 {
		t.Errorf("kept for nothing: %q", left)
	}
}

func TestWriteFilesDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a small file system needs root to mount")
	}
	h := startSSHD(t).connect(t)
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "none", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %s", out)
	}
	t.Cleanup(func() { exec.Command("umount", dir).Run() })
	small, big := filepath.Join(dir, "small"), filepath.Join(dir, "big")
	os.WriteFile(small, []byte("before"), 0o644)
	_, err := h.WriteFiles(t.Context(), []File{{Path: small, Content: []byte("after")}, {Path: big, Content: make([]byte, 1<<20)}})
	mentions(t, err, "cp1: write "+small, "disk is full", big)
	if b, _ := os.ReadFile(small); string(b) != "before" {
		t.Errorf("small is %q", b)
	}
	noLeftovers(t, dir)
}

func TestWriteFilesManyAndAtOnce(t *testing.T) {
	h := startSSHD(t).connect(t)
	dir := t.TempDir()
	var wg sync.WaitGroup
	for g, n := range []int{50, 5, 5, 5} {
		wg.Go(func() {
			var files []File
			for i := range n {
				files = append(files, File{Path: fmt.Sprintf("%s/%d/%d", dir, g, i), Content: []byte(strings.Repeat("x", i*100)), Owner: me(t)})
			}
			if _, err := h.WriteFiles(t.Context(), files); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, _ := filepath.Glob(dir + "/*/*"); len(n) != 65 {
		t.Errorf("%d files", len(n))
	}
}

func TestWriteFilesReplacesLink(t *testing.T) {
	h := startSSHD(t).connect(t)
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	os.WriteFile(target, []byte("pointed at"), 0o644)
	os.Symlink(target, link)
	kept, err := h.WriteFile(context.Background(), File{Path: link, Content: []byte("own"), Owner: me(t)})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(target)
	b, _ := os.ReadFile(link)
	c, _ := os.ReadFile(kept)
	if st, _ := os.Lstat(link); st.Mode()&os.ModeSymlink != 0 || string(a) != "pointed at" || string(b) != "own" || string(c) != "pointed at" {
		t.Errorf("target %q, link %q, kept %q", a, b, c)
	}
}

// What lies in the place of a file, or beside it, is never written through.
func TestWriteFilesThroughNothing(t *testing.T) {
	s := startSSHD(t)
	h, own := s.connect(t), me(t)
	dir := t.TempDir()
	at := func(n string) string { return filepath.Join(dir, n) }
	victim := at("victim")
	if err := os.WriteFile(victim, []byte("mine"), 0o640); err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(s.dir, "root", folders.Run)
	if err := os.MkdirAll(run, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{at("same"), at(".quorate-new"), at(".quorate-same"), filepath.Join(run, "write.lock")} {
		if err := os.Symlink(victim, link); err != nil {
			t.Fatal(err)
		}
	}
	files := []File{{Path: at("same"), Content: []byte("mine"), Mode: 0o600, Owner: own},
		{Path: at("new"), Content: []byte("new"), Owner: own}}
	if _, err := h.WriteFiles(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if st, err := os.Lstat(f.Path); err != nil || !st.Mode().IsRegular() {
			t.Errorf("%s: %v, %v", f.Path, st, err)
		}
	}
	st, err := os.Stat(victim)
	if b, _ := os.ReadFile(victim); err != nil || string(b) != "mine" || st.Mode() != 0o640 {
		t.Errorf("what the links led to is %q, %v, %v", b, st, err)
	}
	// A link is replaced wherever it leads: a masked unit is one to /dev/null.
	for name, to := range map[string]string{"masked": "/dev/null", "endless": "/dev/zero", "folder": run, "nowhere": at("none")} {
		if err := os.Symlink(to, at(name)); err != nil {
			t.Fatal(err)
		}
		kept, err := h.WriteFile(t.Context(), File{Path: at(name), Content: []byte(name), Owner: own})
		if st, errStat := os.Lstat(at(name)); err != nil || errStat != nil || !st.Mode().IsRegular() || kept != "" {
			t.Errorf("%s: %v, %v, %v; kept %q", name, err, st, errStat, kept)
		}
	}
	// Nobody waits for a pipe's other end.
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = h.WriteFiles(t.Context(), []File{{Path: at("pipe"), Content: []byte("x"), Owner: own}})
	mentions(t, err, "is no regular file")
	noLeftovers(t, dir)

	// The same for what is uploaded, and for the part of it that is there.
	from := blob(t, 100_000)
	for _, link := range []string{at("up"), at("up.partial")} {
		if err := os.Symlink(victim, link); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Upload(t.Context(), from, at("up")); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(victim); string(b) != "mine" {
		t.Error("an upload went through a link")
	}
}

// A folder that is root's link is the administrator's wish; another user's is not
// followed.
func TestOwnWay(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, dir+"/link"); err != nil {
		t.Fatal(err)
	}
	try := func() string {
		out, _ := exec.Command("sh", "-c", `die() { echo "$1"; exit 1; }
`+Safe+`own_way "$1" && echo fine`, "sh", dir+"/link/a/b").CombinedOutput()
		return strings.TrimSpace(string(out))
	}
	if got := try(); got != "fine" {
		t.Error(got)
	}
	if os.Geteuid() != 0 {
		return // only root can give a link to another user
	}
	if err := os.Lchown(dir+"/link", 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if got := try(); !strings.Contains(got, "/link is a link that another user than root made") {
		t.Error(got)
	}
}
