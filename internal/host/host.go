// Package host reaches one machine: run a command, read and write files, dial
// from its side. Connect and New give a Host over SSH; package hosttest has one
// in memory for tests.
//
// It needs a POSIX shell, coreutils and gzip on the host and, for commands with
// a Unit, systemd; zstd makes uploads faster, and socat dials where sshd
// forwards nothing. Nothing is installed there. It knows nothing of Kubernetes, plans
// or steps, retries no command, locks no host against other operators and
// prints nothing.
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
	// *ExitError, and the Result still holds what was printed; a lost
	// connection (ErrUnreachable) or a timeout (context.DeadlineExceeded) is
	// any other error.
	Run(context.Context, Cmd) (Result, error)
	// ReadFile returns a file's bytes; fs.ErrNotExist when it is not there.
	ReadFile(context.Context, string) ([]byte, error)
	// WriteFile replaces one file atomically. The old file, when its content
	// differs, is kept below quorate's folder for that and its new place told; when the content
	// is the same only mode and owner are set right, and kept is "".
	WriteFile(context.Context, File) (kept string, err error)
	// WriteFiles does the same for many in one round trip: all are staged and
	// verified before the first is renamed into place. kept has one entry a
	// file, in their order.
	WriteFiles(context.Context, []File) (kept []string, err error)
	// Upload streams a large file to path (content-addressed by SHA-256,
	// resumable, compressed on the wire); done at once when already there. The
	// file is root's. sent counts bytes on the wire. What stood there before is
	// not kept.
	Upload(ctx context.Context, from Blob, path string) (sent int64, err error)
	// Dial opens a connection from the host's side ("tcp" or "unix"). It has
	// working deadlines, so gRPC and net/http clients can use it.
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
	// starts its own. A timeout stops the unit; a cancelled context leaves it.
	// Stdin is read to its end and stored on the host before the unit starts.
	Unit string
	// Timeout bounds the whole command, waiting included; zero means the
	// context's own limit.
	Timeout time.Duration
	// Secret keeps arguments and output out of errors and logs.
	Secret bool
	// What names the command in errors; "" means by its arguments.
	What string
}

// label names the command in an error.
func (c Cmd) label() string {
	if c.What != "" {
		return clip(c.What, 80)
	}
	return label(c.Args, c.Secret)
}

// Result is what a command printed, complete.
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

// ExitError is a command that ran and failed. Of a Secret command it holds the
// program's name only.
type ExitError struct {
	Host   string
	Args   []string
	Code   int
	Stderr string // all of it; Error shows the last line
}
