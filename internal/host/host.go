// Package host reaches one machine: run a command, read and write files, dial
// from its side. It knows nothing of Kubernetes, plans or steps.
package host

import (
	"context"
	"io"
	"net"
	"time"
)

// Host is a machine we can reach. Every method fails with an error that names
// the host; "could not ask" is always an error, never an empty answer.
type Host interface {
	// Name is the host's name in the cluster file.
	Name() string
	// Run runs one command as root. An exit status other than zero is an
	// *ExitError; a lost connection or a timeout is any other error.
	Run(context.Context, Cmd) (Result, error)
	// ReadFile returns a file's bytes; fs.ErrNotExist when it is not there.
	ReadFile(context.Context, string) ([]byte, error)
	// WriteFile replaces one file atomically. The old file, when its content
	// differs, is kept and its new place told.
	WriteFile(context.Context, File) (kept string, err error)
	// WriteFiles does the same for many in one round trip: all are staged and
	// verified before the first is renamed into place.
	WriteFiles(context.Context, []File) (kept []string, err error)
	// Upload streams a large file to path (content-addressed by SHA-256,
	// resumable, compressed on the wire); done at once when already there.
	Upload(ctx context.Context, from Blob, path string) (sent int64, err error)
	// Dial opens a connection from the host's side ("tcp" or "unix").
	Dial(ctx context.Context, network, addr string) (net.Conn, error)
	// Close ends the connection to the host.
	Close() error
}

// Cmd is one command: an argv (never a shell string), its input and limits.
type Cmd struct {
	Args  []string
	Stdin io.Reader
	// Unit, when set, runs the command as a named transient systemd unit
	// (quorate-<Unit>.service): if the connection breaks the unit goes on, and
	// a second Run with the same Unit waits for the first to end before it
	// starts its own.
	Unit string
	// Timeout bounds the whole command; zero means the context's own limit.
	Timeout time.Duration
	// Secret keeps arguments and output out of errors and logs.
	Secret bool
}

// Result is what a command printed.
type Result struct{ Stdout, Stderr []byte }

// File is a file to write. Content of a Secret file never shows in errors.
type File struct {
	Path    string
	Content []byte
	Mode    uint32 // permission bits; 0 means 0644
	Owner   string // "user:group"; empty means root:root
	Secret  bool
}

// Blob is a local file known by its digest.
type Blob struct {
	Path   string
	SHA256 string // hex
	Size   int64
	Mode   uint32
}

// ExitError is a command that ran and failed.
type ExitError struct {
	Host   string
	Args   []string
	Code   int
	Stderr string
}
