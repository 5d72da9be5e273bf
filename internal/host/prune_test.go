package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Copies of what was replaced go by age and number; the newest of a file, and
// what may be the only copy of somebody's data, never do.
func TestKeptFilesArePruned(t *testing.T) {
	s := startSSHD(t)
	h := s.connect(t)
	dir := t.TempDir()
	root := h.cfg.test.root + folders.Kept
	day := func(ago, n int) string {
		return fmt.Sprintf("%s-%d", time.Now().UTC().AddDate(0, 0, -ago).Format("20060102T150405Z"), n)
	}
	at := filepath.Join(dir, "file")
	put := func(paths ...string) {
		for _, p := range paths {
			p = filepath.Join(root, p)
			if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(p, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	stay := []string{day(300, 1) + "/etc/only", day(200, 2) + "/var/lib/etcd/member/wal/1", day(200, 2) + at,
		day(201, 3) + "/etc/kubernetes/pki/ca.key", day(201, 3) + at, day(202, 4) + "/snapshots/1.db", day(202, 4) + at, day(89, 5) + at}
	put(stay...)
	put(day(91, 6)+at, day(400, 7)+at)
	const many = "/etc/often"
	for n := range keptCopies + 5 {
		put(day(10+n, 8) + many)
	}
	for _, text := range []string{"old", "new"} {
		if _, err := h.WriteFile(t.Context(), File{Path: at, Content: []byte(text), Owner: me(t)}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	often := 0
	filepath.WalkDir(root, func(p string, d os.DirEntry, _ error) error {
		switch p = strings.TrimPrefix(p, root+"/"); {
		case d.IsDir():
		case strings.HasSuffix(p, many):
			often++
		default:
			got = append(got, p)
		}
		return nil
	})
	newest := got[len(got)-1] // of this write
	want := append(slices.Clone(stay), newest)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || !strings.HasSuffix(newest, at) {
		t.Errorf("there are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if often != keptCopies {
		t.Errorf("%d copies of one file, want %d", often, keptCopies)
	}
}
