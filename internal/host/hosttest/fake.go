// Package hosttest has a Host in memory, for unit tests of what uses hosts.
//
// Files live in a map, commands are answered by what the test scripted, and
// any call can be made to fail before or after its effect. It runs nothing and
// knows no shell: a command that nobody scripted is an error.
package hosttest

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
)

var _ host.Host = (*Fake)(nil)

// KeptAt is the folder of all kept files of a Fake.
var KeptAt = layout.Quorate().Kept + "/20060102T150405Z"

// Fake is a Host in memory. Its methods may be called at once.
type Fake struct {
	name string

	mu      sync.Mutex
	files   map[string]host.File
	replies []reply
	faults  []*fault
	calls   []Call
	dials   map[string]func(context.Context) (net.Conn, error)
	down    error
	closed  bool
}

// Call is one call of a Host method, as it came.
type Call struct {
	Op    string   // Run, ReadFile, WriteFiles, Upload, Dial
	Args  []string // argv, or paths, or network and address
	Cmd   host.Cmd // of Run
	Stdin []byte   // of Run
	Err   error    // what it returned
}

// String is the call in a line, for comparing in tests.
func (c Call) String() string { return strings.TrimSpace(c.Op + " " + strings.Join(c.Args, " ")) }

// Handler answers a command.
type Handler func(ctx context.Context, c host.Cmd, stdin []byte) (host.Result, error)

type reply struct {
	prefix []string
	do     Handler
}

// New makes a Fake without files.
func New(name string) *Fake {
	return &Fake{name: name, files: map[string]host.File{}, dials: map[string]func(context.Context) (net.Conn, error){}}
}

// Handle answers the commands that begin with prefix; without a prefix, all.
// The longest prefix wins, then the latest. The handler may use the Fake.
func (f *Fake) Handle(do Handler, prefix ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.replies = append(f.replies, reply{prefix, do})
}

// Reply answers the commands that begin with prefix with an output.
func (f *Fake) Reply(stdout string, prefix ...string) {
	f.Handle(func(context.Context, host.Cmd, []byte) (host.Result, error) {
		return host.Result{Stdout: []byte(stdout)}, nil
	}, prefix...)
}

// Exit lets the commands that begin with prefix fail with an exit status.
func (f *Fake) Exit(code int, stderr string, prefix ...string) {
	f.Handle(func(_ context.Context, c host.Cmd, _ []byte) (host.Result, error) {
		return host.Result{Stderr: []byte(stderr)}, &host.ExitError{Host: f.name, Args: c.Args, Code: code, Stderr: stderr}
	}, prefix...)
}

// Framed is what a script of host.Ask prints, given its stdin and its answer's
// parts as name and payload in turn: for use in a Handler.
func Framed(stdin []byte, parts ...string) (host.Result, error) {
	f, ok := host.FramesOf(stdin)
	if !ok {
		return host.Result{}, fmt.Errorf("hosttest: %.40q is no script of host.Ask", stdin)
	}
	return host.Result{Stdout: f.Print(parts...)}, nil
}

// Put sets a file of mode 0644; with nothing recorded and nothing kept.
func (f *Fake) Put(path, content string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files[path] = host.File{Path: path, Content: []byte(content), Mode: 0o644, Owner: "root:root"}
}

// Remove removes a file.
func (f *Fake) Remove(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.files, path)
}

// File is a file as it was written.
func (f *Fake) File(path string) (host.File, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, ok := f.files[path]
	return file, ok
}

// Paths are those of all files, sorted.
func (f *Fake) Paths() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.files))
}

// Calls are all calls so far, in the order they began.
func (f *Fake) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Ran are the argvs of all Run calls so far, each joined by spaces.
func (f *Fake) Ran() []string {
	var ran []string
	for _, c := range f.Calls() {
		if c.Op == "Run" {
			ran = append(ran, strings.Join(c.Args, " "))
		}
	}
	return ran
}

// DialTo lets Dial(network, addr) reach another address of this machine.
func (f *Fake) DialTo(network, addr, realNetwork, realAddr string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials[network+" "+addr] = func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, realNetwork, realAddr)
	}
}

// Name is the host's name.
func (f *Fake) Name() string { return f.name }

// Close makes every later call fail.
func (f *Fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}

// Run records the command and answers it as scripted.
func (f *Fake) Run(ctx context.Context, c host.Cmd) (res host.Result, err error) {
	var stdin []byte
	if c.Stdin != nil {
		if stdin, err = io.ReadAll(c.Stdin); err != nil {
			return res, host.Errorf(f.name, "run: read its input: %w", err)
		}
	}
	err = f.call(ctx, Call{Op: "Run", Args: slices.Clone(c.Args), Cmd: c, Stdin: stdin}, func() error {
		do := f.handler(c.Args)
		if do == nil {
			return host.Errorf(f.name, "hosttest: no reply is scripted for %q", c.Args)
		}
		res, err = do(ctx, c, stdin)
		return err
	})
	return res, err
}

func (f *Fake) handler(args []string) Handler {
	f.mu.Lock()
	defer f.mu.Unlock()
	var best Handler
	length := -1
	for _, r := range f.replies {
		if len(r.prefix) >= length && len(r.prefix) <= len(args) && slices.Equal(r.prefix, args[:len(r.prefix)]) {
			best, length = r.do, len(r.prefix)
		}
	}
	return best
}

// ReadFile returns a file of the map.
func (f *Fake) ReadFile(ctx context.Context, path string) (b []byte, err error) {
	err = f.call(ctx, Call{Op: "ReadFile", Args: []string{path}}, func() error {
		file, ok := f.File(path)
		if !ok {
			return host.Errorf(f.name, "read %s: %w", path, fs.ErrNotExist)
		}
		b = slices.Clone(file.Content)
		return nil
	})
	return b, err
}

// WriteFile is WriteFiles of one.
func (f *Fake) WriteFile(ctx context.Context, file host.File) (string, error) {
	kept, err := f.WriteFiles(ctx, []host.File{file})
	if err != nil {
		return "", err
	}
	return kept[0], nil
}

// WriteFiles sets files of the map; old ones are kept below KeptAt.
func (f *Fake) WriteFiles(ctx context.Context, files []host.File) (kept []string, err error) {
	paths := make([]string, len(files))
	for i, file := range files {
		paths[i] = file.Path
	}
	err = f.call(ctx, Call{Op: "WriteFiles", Args: paths}, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, file := range files {
			kept = append(kept, f.put(file))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return kept, nil
}

func (f *Fake) put(file host.File) (kept string) {
	if file.Mode == 0 {
		file.Mode = 0o644
	}
	if file.Owner == "" {
		file.Owner = "root:root"
	}
	file.Content = slices.Clone(file.Content)
	if old, ok := f.files[file.Path]; ok && string(old.Content) != string(file.Content) {
		kept = KeptAt + file.Path
		for n := 2; ; n++ {
			if _, taken := f.files[kept]; !taken {
				break
			}
			kept = fmt.Sprintf("%s-%d%s", KeptAt, n, file.Path)
		}
		old.Path = kept
		f.files[kept] = old
	}
	f.files[file.Path] = file
	return kept
}

// Upload copies a local file into the map.
func (f *Fake) Upload(ctx context.Context, from host.Blob, path string) (sent int64, err error) {
	err = f.call(ctx, Call{Op: "Upload", Args: []string{path}}, func() error {
		b, err := os.ReadFile(from.Path)
		if err != nil {
			return host.Errorf(f.name, "upload %s: %w", path, err)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if old, ok := f.files[path]; !ok || string(old.Content) != string(b) {
			sent = int64(len(b))
		}
		mode := from.Mode
		if mode == 0 {
			mode = 0o644
		}
		f.files[path] = host.File{Path: path, Content: b, Mode: mode, Owner: "root:root"}
		return nil
	})
	return sent, err
}

// Dial connects as DialTo said.
func (f *Fake) Dial(ctx context.Context, network, addr string) (c net.Conn, err error) {
	err = f.call(ctx, Call{Op: "Dial", Args: []string{network, addr}}, func() error {
		f.mu.Lock()
		do := f.dials[network+" "+addr]
		f.mu.Unlock()
		if do == nil {
			return &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("from %s to %s: connection refused", f.name, addr)}
		}
		c, err = do(ctx)
		return err
	})
	if err != nil && c != nil {
		c.Close()
		c = nil
	}
	return c, err
}
