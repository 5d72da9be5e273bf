package artifact

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var testKey = Key{Source: "test", Component: "thing", Version: "1", Arch: "amd64", Recipe: "r"}

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// make adds a file under testKey unless it is there, as sources do; made tells
// whether it had to.
func makeThing(t *testing.T, s *Store, content string) (f File, made bool) {
	t.Helper()
	w, err := s.begin(t.Context(), testKey.lockName(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.end()
	have, missing, err := s.lookup(testKey, []string{"thing"}, teller("thing", nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(missing) == 0 {
		return have["thing"], false
	}
	from := filepath.Join(w.dir, "out")
	if err := os.WriteFile(from, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err = s.add("thing", from); err != nil {
		t.Fatal(err)
	}
	if err := s.record(testKey, time.Second, origin{}, f); err != nil {
		t.Fatal(err)
	}
	return f, true
}

func TestStoreLayout(t *testing.T) {
	s := newStore(t)
	f, _ := makeThing(t, s, "hello")
	const sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	if want := filepath.Join(s.Dir(), "sha256", sum, "thing"); f.Path != want || f.SHA256 != sum || f.Size != 5 || f.Mode != 0o755 {
		t.Errorf("got %+v, want path %s", f, want)
	}
	if st, err := os.Stat(f.Path); err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("stat: %v %v", st, err)
	}
}

func TestStoreManyAtOnce(t *testing.T) {
	root := t.TempDir()
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for range 8 {
		wg.Go(func() {
			s, err := OpenStore(root) // each its own, as processes have
			if err != nil {
				t.Error(err)
				return
			}
			f, made := makeThing(t, s, "same")
			mu.Lock()
			defer mu.Unlock()
			if made {
				total++
			}
			if !s.present(f) {
				t.Errorf("%s is not there", f.Path)
			}
		})
	}
	wg.Wait()
	if total != 1 {
		t.Errorf("made %d times, want once", total)
	}
}

func TestStoreWaitsForTheLock(t *testing.T) {
	s := newStore(t)
	w, err := s.begin(t.Context(), "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.end()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	told := false
	if _, err = s.begin(ctx, "x", func() { told = true }); !errors.Is(err, context.DeadlineExceeded) || !told {
		t.Errorf("second begin: %v, told %t; want a timeout, and to be told", err, told)
	}
}

func TestStoreAfterKill(t *testing.T) {
	s := newStore(t)
	left := filepath.Join(s.root, "tmp", testKey.lockName(), "half")
	if err := os.MkdirAll(filepath.Dir(left), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, []byte("hal"), 0o644); err != nil {
		t.Fatal(err)
	}
	// Killed between the file and its index entry.
	if err := os.WriteFile(filepath.Join(s.root, "tmp", "out"), []byte("whole"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.add("thing", filepath.Join(s.root, "tmp", "out")); err != nil {
		t.Fatal(err)
	}
	if _, made := makeThing(t, s, "whole"); !made {
		t.Error("a file without an entry was taken as made")
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("the left file: %v, want it gone", err)
	}
}

func TestStoreMendsItself(t *testing.T) {
	for name, damage := range map[string]func(s *Store, f File) error{
		"file gone":  func(_ *Store, f File) error { return os.RemoveAll(filepath.Dir(f.Path)) },
		"file cut":   func(_ *Store, f File) error { return os.Truncate(f.Path, 1) },
		"index torn": func(s *Store, _ File) error { return os.WriteFile(s.entryPath(testKey), []byte("{"), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			f, _ := makeThing(t, s, "hello")
			if err := damage(s, f); err != nil {
				t.Fatal(err)
			}
			if _, made := makeThing(t, s, "hello"); !made {
				t.Error("not made again")
			}
			if n, bad, err := s.Verify(t.Context()); err != nil || n != 1 || len(bad) != 0 {
				t.Errorf("Verify = %d, %v, %v; want one good file", n, bad, err)
			}
		})
	}
}

func TestVerifyFindsACorruptFile(t *testing.T) {
	s := newStore(t)
	f, _ := makeThing(t, s, "hello")
	if err := os.WriteFile(f.Path, []byte("hellO"), 0o755); err != nil {
		t.Fatal(err)
	}
	n, bad, err := s.Verify(t.Context())
	if err != nil || n != 1 || len(bad) != 1 || bad[0].Path != f.Path || !strings.Contains(bad[0].Why, "SHA-256") {
		t.Errorf("Verify = %d, %v, %v; want %s damaged", n, bad, err, f.Path)
	}
}

func TestList(t *testing.T) {
	s := newStore(t)
	f, _ := makeThing(t, s, "hello")
	all, err := s.List()
	if err != nil || len(all) != 1 || all[0].File != f || all[0].Key != testKey || !all[0].Present {
		t.Errorf("List = %+v, %v", all, err)
	}
}
