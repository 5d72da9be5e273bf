package artifact

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// Balancer is the program that quorate brings itself: it is made with quorate,
// from the same sources.
const Balancer = "quorate-lb"

// own is the key of the programs that quorate brings itself.
var own = Key{Source: "quorate", Component: Balancer, Version: "own", Arch: "amd64"}

// OwnName names a program of quorate's own, with its digest, without making it:
// the digest is that of the one installed with the running quorate, or else of the one
// that was built last, "" when there is none. unbuilt is the source tree from
// which Own would build it; "" when it is installed.
func OwnName(s *Store, name string) (f File, unbuilt string, err error) {
	at, err := ourProgram()
	if err != nil {
		return File{}, "", err
	}
	f.Name = name
	beside := installed(filepath.Dir(at), name)
	switch f.SHA256, f.Size, err = digest(beside); {
	case err == nil:
		if err := runsOnHosts(beside); err != nil {
			return File{}, "", notForHosts(beside, name, err)
		}
		return f, "", nil
	case !errors.Is(err, fs.ErrNotExist):
		return File{}, "", fmt.Errorf("read %s: %w", beside, err)
	}
	tree := sourceTree(filepath.Dir(at))
	if tree == "" {
		return File{}, "", notBeside(beside, name, at)
	}
	built, err := s.readEntry(s.entryPath(own))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return File{}, "", err
	}
	f.SHA256 = built.Files[name].SHA256
	return f, tree, nil
}

func ourProgram() (string, error) {
	at, err := os.Executable()
	if err == nil {
		at, err = filepath.EvalSymlinks(at)
	}
	if err != nil {
		return "", fmt.Errorf("find the folder of quorate itself: %w", err)
	}
	return at, nil
}

func notForHosts(beside, name string, err error) error {
	return fmt.Errorf("%s: %w; next: put the %s of the same release there", beside, err, name)
}

func notBeside(beside, name, at string) error {
	return fmt.Errorf("%s does not exist: it comes with quorate; next: put the %s of the same release beside %s, or run make build",
		beside, name, at)
}

// Own brings a program of quorate's own for linux/amd64 into the store: the one
// that was installed with the running quorate, or one that is built when quorate
// runs in its own source tree.
func Own(ctx context.Context, s *Store, name string, progress func(Event)) (File, error) {
	at, err := ourProgram()
	if err != nil {
		return File{}, err
	}
	work, err := os.MkdirTemp(filepath.Join(s.root, "tmp"), name+"-*")
	if err != nil {
		return File{}, fmt.Errorf("bring %s into the store: %w", name, err)
	}
	defer os.RemoveAll(work)
	beside, fresh, begun := installed(filepath.Dir(at), name), filepath.Join(work, name), time.Now()
	switch err := copyFile(beside, fresh); {
	case err == nil:
		if err := runsOnHosts(fresh); err != nil {
			return File{}, notForHosts(beside, name, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return File{}, fmt.Errorf("bring %s into the store: %w", name, err)
	default:
		tree := sourceTree(filepath.Dir(at))
		if tree == "" {
			return File{}, notBeside(beside, name, at)
		}
		teller(name, progress)("build", "./cmd/"+name, 0, 0)
		if err := buildOwn(ctx, tree, name, fresh); err != nil {
			return File{}, err
		}
	}
	f, err := s.add(name, fresh)
	if err != nil {
		return File{}, err
	}
	return f, s.record(own, time.Since(begun), origin{}, f)
}

// installed is where a program of quorate's own is installed beside quorate, for
// hosts: under its name in a release, where packages for another architecture
// keep it, or under its plain name.
func installed(dir, name string) string {
	for _, at := range []string{filepath.Join(dir, name+"-linux-amd64"), filepath.Join(dir, "..", "lib", "quorate", name+"-linux-amd64")} {
		if _, err := os.Stat(at); err == nil {
			return at
		}
	}
	return filepath.Join(dir, name)
}

// runsOnHosts says why a program would not run on a host: it must be for
// linux/amd64, and need no library of the host's.
func runsOnHosts(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("it is not a Linux program: %w", err)
	}
	defer f.Close()
	if f.Machine != elf.EM_X86_64 {
		return fmt.Errorf("it is for %s, and hosts are amd64", f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it is linked against libraries that a host may not have")
		}
	}
	return nil
}

var ourModule = regexp.MustCompile(`(?m)^module quorate\.dev/quorate$`)

// sourceTree is the folder of quorate's sources in which, or below which, it
// runs, "" when there is none.
func sourceTree(program string) string {
	starts := []string{program}
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	for _, dir := range starts {
		for {
			if text, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && ourModule.Match(text) {
				return dir
			}
			up := filepath.Dir(dir)
			if up == dir {
				break
			}
			dir = up
		}
	}
	return ""
}

func buildOwn(ctx context.Context, tree, name, to string) error {
	goTool, err := exec.LookPath("go")
	if err != nil {
		return fmt.Errorf("%s is not beside quorate, and there is no Go to build it from %s; next: run make build there, or put go "+
			"on the PATH", name, tree)
	}
	cmd := exec.CommandContext(ctx, goTool, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", to, "./cmd/"+name)
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s in %s: %w\n%s", name, tree, err, out)
	}
	return nil
}

func copyFile(from, to string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close())
}
