package artifact

import (
	"archive/tar"
	"context"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// tool is a program of this machine's distribution that an image needs.
type tool struct {
	name string
	pkg  string // the Debian package that has it
}

// systemFile is a file of this machine, and where an image has it.
type systemFile struct {
	at, from string
	sum      string
	size     int64
}

// linked are tools with the libraries and the loader that they are linked
// against, each once and by path.
func linked(ctx context.Context, tools []tool, arch string) ([]systemFile, error) {
	files := map[string]string{}
	for _, t := range tools {
		if arch != runtime.GOARCH {
			return nil, fmt.Errorf("it needs %s for %s, and this machine is %s; set artifacts.source: upstream to take the project's own image",
				t.name, arch, runtime.GOARCH)
		}
		at, err := lookTool(t.name)
		if err != nil {
			return nil, fmt.Errorf("it needs %s; install it (Debian, Ubuntu: apt-get install %s), or set artifacts.source: upstream", t.name, t.pkg)
		}
		out, err := exec.CommandContext(ctx, "ldd", at).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("find the libraries of %s: ldd %s: %w: %s", t.name, at, err, strings.TrimSpace(string(out)))
		}
		files["/usr/sbin/"+t.name] = at
		libs, err := libraries(string(out))
		if err != nil {
			return nil, fmt.Errorf("find the libraries of %s: %w", t.name, err)
		}
		for _, l := range libs {
			files[l] = l
		}
	}
	var out []systemFile
	for at, from := range files {
		whole, err := filepath.EvalSymlinks(from)
		if err != nil {
			return nil, err
		}
		sum, size, err := digest(whole)
		if err != nil {
			return nil, err
		}
		out = append(out, systemFile{at: at, from: whole, sum: sum, size: size})
	}
	slices.SortFunc(out, func(a, b systemFile) int { return strings.Compare(a.at, b.at) })
	return out, nil
}

// lookTool finds a program, also where only root's path leads.
func lookTool(name string) (string, error) {
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if at, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return at, nil
		}
	}
	return exec.LookPath(name)
}

// libraries reads what ldd prints: lines "NAME => PATH (ADDRESS)", and the
// loader as "PATH (ADDRESS)".
func libraries(text string) ([]string, error) {
	var out []string
	for line := range strings.Lines(text) {
		w := strings.Fields(line)
		switch {
		case len(w) == 2 && path.IsAbs(w[0]):
			out = append(out, w[0])
		case len(w) == 4 && w[1] == "=>" && path.IsAbs(w[2]):
			out = append(out, w[2])
		case len(w) == 2 && strings.HasPrefix(w[0], "linux-"): // the kernel's own
		default:
			return nil, fmt.Errorf("ldd says %q", strings.TrimSpace(line))
		}
	}
	return out, nil
}

// writeSystem writes the files with their folders.
func writeSystem(w *tar.Writer, files []systemFile) error {
	made := map[string]bool{}
	for _, f := range files {
		for d := range parents(path.Dir(f.at) + "/") {
			if made[d] {
				continue
			}
			made[d] = true
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: 0o755, ModTime: epoch}); err != nil {
				return err
			}
		}
		if err := copyFrom(w, f.at[1:], f.from, f.size); err != nil {
			return err
		}
	}
	return nil
}
