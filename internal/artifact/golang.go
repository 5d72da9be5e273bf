package artifact

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// golang runs the Go toolchain in one folder with an environment in which only
// the user's proxy, cache and network settings remain.
type golang struct {
	path string
	dir  string
	env  []string
	hold *os.File // the lock its processes inherit; see work
}

// errNoGo says what to do when there is no Go toolchain.
var errNoGo = errors.New("no Go toolchain on PATH; install Go 1.26 or newer from https://go.dev/dl, or set artifacts.source: upstream")

// newerGo adds what to do when the toolchain is too old for a module.
func newerGo(err error) string {
	if !strings.Contains(err.Error(), "GOTOOLCHAIN=local") {
		return ""
	}
	return "\ninstall a newer Go from https://go.dev/dl, or set artifacts.source: upstream"
}

// findGo finds the toolchain on PATH and asks for its version.
func findGo(ctx context.Context) (golang, string, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return golang{}, "", errNoGo
	}
	g := golang{path: path, dir: os.TempDir(), env: cleanEnv(os.Environ())}
	out, err := g.run(ctx, nil, "env", "GOVERSION")
	if err != nil {
		return golang{}, "", fmt.Errorf("ask %s for its version: %w", path, err)
	}
	return g, strings.TrimSpace(string(out)), nil
}

// cleanEnv drops what would change the bytes of a build, and sets what must be
// the same everywhere.
func cleanEnv(env []string) []string {
	var out []string
	for _, kv := range env {
		k, _, _ := strings.Cut(kv, "=")
		switch k {
		case "GOFLAGS", "GOOS", "GOARCH", "GOWORK", "GO111MODULE", "GOTOOLCHAIN", "GOEXPERIMENT", "GOAMD64", "GOARM64",
			"GODEBUG", "GOFIPS140", "CGO_ENABLED", "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_LDFLAGS", "PWD":
			continue
		}
		out = append(out, kv)
	}
	return append(out, "GOFLAGS=-mod=mod", "GOWORK=off", "GO111MODULE=on", "GOTOOLCHAIN=local", "GOAMD64=v1", "GOEXPERIMENT=", "GOFIPS140=off")
}

// in is the same toolchain in another folder, for linux/arch and the work w.
func (g golang) in(dir, arch string, cgo bool, w *work) golang {
	enabled := "CGO_ENABLED=0"
	if cgo {
		enabled = "CGO_ENABLED=1"
	}
	g.hold = w.lock
	g.dir, g.env = dir, append(append([]string{}, g.env...), "PWD="+dir, "GOOS=linux", "GOARCH="+arch, enabled)
	return g
}

// run runs one go command and returns its stdout; each line of stderr goes to
// line as it comes, and into the error.
func (g golang) run(ctx context.Context, line func(string), args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, g.path, args...)
	cmd.Dir, cmd.Env = g.dir, g.env
	if g.hold != nil {
		cmd.ExtraFiles = []*os.File{g.hold}
	}
	// An interrupt lets go remove its own work folder; the kill comes later.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	r, w := io.Pipe()
	cmd.Stderr = w
	tail := make(chan []string)
	go func() {
		var last []string
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			s := lines.Text()
			if line != nil {
				line(s)
			}
			if said := strings.ContainsAny(s, " \t"); said && !strings.HasPrefix(s, "go: downloading ") {
				last = append(last, s)
			}
			if len(last) > 40 {
				last = last[1:]
			}
		}
		io.Copy(io.Discard, r)
		tail <- last
	}()
	err := cmd.Run()
	w.Close()
	last := <-tail
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("go %s: %w", args[0], ctx.Err())
	case err != nil:
		return stdout.Bytes(), fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, strings.Join(last, "\n"))
	}
	return stdout.Bytes(), nil
}

// module is what `go mod download -json` tells of one.
type module struct {
	Path, Version, Info, GoMod, Sum, Error string
}

// released reads when a module's version was made.
func (m module) released() string {
	var info struct{ Time time.Time }
	data, err := os.ReadFile(m.Info)
	if err != nil || json.Unmarshal(data, &info) != nil {
		return "1970-01-01T00:00:00Z"
	}
	return info.Time.UTC().Format(time.RFC3339)
}

// download brings modules into the module cache.
func (g golang) download(ctx context.Context, line func(string), version string, paths []string) ([]module, error) {
	args := []string{"mod", "download", "-json"}
	for _, p := range paths {
		args = append(args, p+"@v"+version)
	}
	out, runErr := g.run(ctx, line, args...)
	if ctx.Err() != nil {
		return nil, runErr
	}
	var mods []module
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var m module
		err := dec.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.Join(runErr, fmt.Errorf("read go mod download: %w", err))
		}
		if m.Error != "" {
			return nil, fmt.Errorf("download %s v%s: %s; check the version, and GOPROXY when the proxy cannot be reached", m.Path, version, m.Error)
		}
		mods = append(mods, m)
	}
	if runErr != nil {
		return nil, runErr
	}
	return mods, nil
}
