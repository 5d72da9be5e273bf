package host

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// Connect logs in to a host, and makes sure that commands can be run as root.
func Connect(ctx context.Context, c Config) (Host, error) {
	h := newSSH(c)
	if _, err := h.get(ctx); err != nil {
		return nil, err
	}
	return h, nil
}

// New is Connect at first use: it never fails, the first call may.
func New(c Config) Host { return newSSH(c) }

// sshHost is a Host over at most one SSH connection at a time. A broken
// connection is replaced at the next call.
type sshHost struct {
	cfg    Config
	life   context.Context // ends with Close
	end    context.CancelFunc
	lock   chan struct{} // one token guards cur, so that waiting obeys a context
	cur    *conn
	failed failure       // of the last attempt to connect; guarded like cur
	writes chan struct{} // one WriteFiles at a time
	heard  noted
}

func newSSH(c Config) *sshHost {
	h := &sshHost{cfg: c.withDefaults(), lock: make(chan struct{}, 1), writes: make(chan struct{}, 1)}
	h.life, h.end = context.WithCancel(context.Background())
	return h
}

// Name is the host's name in the cluster file.
func (h *sshHost) Name() string { return h.cfg.Name }

// Close ends the connection; the Host cannot be used again.
func (h *sshHost) Close() error {
	h.end()
	h.lock <- struct{}{}
	defer func() { <-h.lock }()
	if h.cur != nil {
		h.cur.close()
		h.cur = nil
	}
	return nil
}

// failure is an attempt to connect that failed.
type failure struct {
	err error
	at  time.Time
}

// Warm begins to connect to a host, for who is about to ask it something. What
// fails then is told to those who ask meanwhile.
func Warm(ctx context.Context, h Host) {
	if s, ok := h.(*sshHost); ok {
		go s.get(ctx)
	}
}

// get returns the living connection, or makes one. Who waited while an attempt
// failed has its error: another would cost the same time again.
func (h *sshHost) get(ctx context.Context) (*conn, error) {
	begun := time.Now()
	select {
	case h.lock <- struct{}{}:
	case <-ctx.Done():
		return nil, Errorf(h.cfg.Name, "connect: %w", ctx.Err())
	}
	defer func() { <-h.lock }()
	if h.life.Err() != nil {
		return nil, Errorf(h.cfg.Name, "connection was closed by us")
	}
	if h.cur != nil && h.cur.alive() {
		return h.cur, nil
	}
	if h.failed.at.After(begun) {
		return nil, h.failed.err
	}
	c, err := h.make(ctx)
	if err != nil {
		if ctx.Err() == nil { // else it is no failure but ours
			h.failed = failure{err, time.Now()}
		}
		return nil, err
	}
	h.cur = c
	return c, nil
}

// make connects, and sees that commands can be run as root.
func (h *sshHost) make(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.life, cancel)()
	c, err := connect(ctx, h.cfg)
	if err != nil {
		return nil, err
	}
	if h.cfg.sudo() {
		if err := h.trySudo(ctx, c); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

// session opens a session, once more over a new connection when the one we had
// turns out to be broken. Nothing has run by then, so this repeats nothing.
func (h *sshHost) session(ctx context.Context) (*ssh.Session, *conn, error) {
	for again := false; ; again = true {
		c, err := h.get(ctx)
		if err != nil {
			return nil, nil, err
		}
		s, err := c.session(ctx)
		if err == nil {
			return s, c, nil
		}
		var refused *ssh.OpenChannelError
		switch {
		case ctx.Err() != nil:
			return nil, nil, Errorf(h.cfg.Name, "open session: %w", ctx.Err())
		case errors.As(err, &refused):
			return nil, nil, Errorf(h.cfg.Name, "sshd refused a session: %w: see MaxSessions in its sshd_config", reported{err})
		case again:
			return nil, nil, lost(h.cfg.Name, "open session", err)
		}
		c.close()
	}
}

// skipTo reads stdin up to a marker line, byte by byte as POSIX asks of read,
// then runs the rest. sudo takes the password from stdin only when it wants
// one; this way the command never sees it.
const skipTo = `m=$1; shift; while IFS= read -r l && [ "$l" != "$m" ]; do :; done; exec "$@"`

const marker = "--quorate: input follows--"

// asRoot makes the remote shell's command for an argv, and what must come
// first on its stdin.
func (h *sshHost) asRoot(argv []string) (command, first string, err error) {
	switch {
	case !h.cfg.sudo():
	case h.cfg.SudoPasswordFile == "":
		argv = append([]string{"sudo", "-n", "-H", "--"}, argv...)
	default:
		pw, err := readSecret(h.cfg.SudoPasswordFile)
		if err != nil {
			return "", "", Errorf(h.cfg.Name, "read ssh.sudoPasswordFile: %w", err)
		}
		argv = append([]string{"sudo", "-S", "-p", "", "-H", "--", "sh", "-c", skipTo, "sh", marker}, argv...)
		first = pw + "\n" + marker + "\n"
	}
	command = "exec " + quoteAll(argv)
	if len(command) > 120<<10 { // Linux limits one argument to 128 KiB
		return "", "", Errorf(h.cfg.Name, "arguments of %d bytes are too long for a shell: give them on stdin", len(command))
	}
	return command, first, nil
}

// trySudo makes sure of root once a connection, so that a wrong password is
// tried once and no command is fed to sudo's prompt.
func (h *sshHost) trySudo(ctx context.Context, c *conn) error {
	command, first, err := h.asRoot([]string{"true"})
	if err != nil {
		return err
	}
	s, err := c.session(ctx)
	if err != nil {
		return lost(h.cfg.Name, "open session", err)
	}
	defer c.release()
	defer s.Close()
	// Only the password: at a wrong one sudo meets the end of the input.
	s.Stdin = io.Reader(strings.NewReader(strings.SplitAfter(first, "\n")[0]))
	out := &buffer{most: maxStderr, full: make(chan struct{})}
	s.Stdout, s.Stderr = out, out
	heard, stop := until(ctx, out.full)
	defer stop()
	_, err = await(heard, func() (struct{}, error) { return struct{}{}, s.Run(command) }, func(struct{}) {})
	var exit *ssh.ExitError
	switch {
	case out.isFull():
		return endless(h.cfg.Name, "sudo")
	case err == nil:
		return nil
	case !errors.As(err, &exit):
		return lost(h.cfg.Name, "sudo", err)
	case h.cfg.SudoPasswordFile == "":
		return Errorf(h.cfg.Name, "user %s cannot become root: %s: put %q into /etc/sudoers.d/quorate there, or set ssh.sudoPasswordFile",
			h.cfg.User, lastLine(string(out.Bytes())), h.cfg.User+" ALL=(ALL) NOPASSWD: ALL")
	}
	return Errorf(h.cfg.Name, "user %s cannot become root with the password in %s: %s",
		h.cfg.User, h.cfg.SudoPasswordFile, lastLine(string(out.Bytes())))
}
