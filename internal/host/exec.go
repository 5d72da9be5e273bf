package host

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// call is one process on the host.
type call struct {
	argv   []string
	what   string // in errors
	secret bool
	stdin  io.Reader
	stdout *buffer // nil: a new one
}

// exec runs a process as root and waits for its end. A process that outlives
// its deadline is killed on the host too, by timeout(1).
func (h *sshHost) exec(ctx context.Context, c call) (Result, error) {
	began := time.Now()
	if err := ctx.Err(); err != nil {
		return Result{}, cutShort(ctx, h.cfg.Name, c.what, began)
	}
	argv := c.argv
	if end, ok := ctx.Deadline(); ok {
		secs := int(time.Until(end).Seconds()) + 3
		argv = append([]string{"timeout", "-k", "5", strconv.Itoa(secs)}, argv...)
	}
	stdout, stderr := c.stdout, &buffer{most: maxStderr, drop: maxDropped}
	if stdout == nil {
		stdout = &buffer{}
	}
	stdout.full, stderr.full = make(chan struct{}), make(chan struct{})
	p, err := h.start(ctx, c.what, argv, stdout, stderr)
	if err != nil {
		return Result{}, err
	}
	go p.feed(c.stdin)
	heard, stop := until(ctx, stdout.full, stderr.full, p.noisy)
	defer stop()
	_, err = await(heard, func() (struct{}, error) { return struct{}{}, p.wait() }, func(struct{}) {})
	if over := p.tooMuch(h.cfg.Name, c.what, stdout, stderr); over != nil {
		go p.kill()
		return Result{}, over
	}
	if ctx.Err() != nil && err != nil && !isExit(err) {
		go p.kill()
		return Result{stdout.Bytes(), stderr.complaint()}, cutShort(ctx, h.cfg.Name, c.what, began)
	}
	stdout.Write(p.out)
	stderr.Write(p.error)
	res := Result{stdout.Bytes(), stderr.complaint()}
	if bad := p.inputErr.Load(); bad != nil {
		return res, Errorf(h.cfg.Name, "%s: read its input: %w", c.what, bad.error)
	}
	if err == nil && !p.begun {
		return Result{}, Errorf(h.cfg.Name, "%s: the login shell did not run it, it said %q: give user %s a POSIX shell there",
			c.what, lastLine(string(res.Stdout)+string(res.Stderr)), h.cfg.User)
	}
	return res, h.verdict(c, res, err)
}

// tooMuch is why a command was ended: it, or the shell before it, said more
// than is read.
func (p *process) tooMuch(host, what string, stdout, stderr *buffer) error {
	switch {
	case p.isNoisy():
		return endless(host, what)
	case stdout.isFull(), stderr.isFull():
		return &TooMuchError{host, what, maxStdout}
	}
	return nil
}

// verdict tells a process that ended badly from a connection that was lost.
func (h *sshHost) verdict(c call, res Result, err error) error {
	if err == nil {
		return nil
	}
	var exit *ssh.ExitError
	if !errors.As(err, &exit) {
		return lost(h.cfg.Name, c.what, err)
	}
	e := &ExitError{Host: h.cfg.Name, Args: c.argv, Code: exit.ExitStatus(), Stderr: string(res.Stderr)}
	if e.Code == 0 {
		e.Code = 128 // ended by a signal without a number
	}
	if c.secret {
		e.Args, e.Stderr = c.argv[:1], ""
	}
	return e
}

func isExit(err error) bool {
	var exit *ssh.ExitError
	return errors.As(err, &exit)
}

// script runs shell text of any length: it travels on stdin, before the input,
// so nothing of it shows in the host's process list. The text prints its answer
// in frames; one that fails has none.
func (h *sshHost) script(ctx context.Context, what, text string, stdin io.Reader, live *talk) (Answer, error) {
	if live == nil {
		live = newTalk()
	}
	if stdin == nil {
		stdin = strings.NewReader("")
	}
	text = live.frames.Shell() + text
	res, err := h.exec(ctx, call{
		argv:   evaluated(text, nil),
		what:   what,
		stdin:  io.MultiReader(strings.NewReader(text), stdin),
		stdout: &live.out,
	})
	var exit *ExitError
	if errors.As(err, &exit) {
		exit.Args = strings.Fields(what)
	}
	if err != nil {
		return Answer{}, err
	}
	answer, err := live.frames.Parse(res.Stdout)
	if err != nil {
		return Answer{}, Errorf(h.cfg.Name, "%s: %w", what, err)
	}
	h.heard.add(answer.Noise())
	return answer, nil
}

// evaluated is the command for a script that comes on its stdin.
func evaluated(text string, args []string) []string {
	return append([]string{"sh", "-c", `eval "$(head -c ` + strconv.Itoa(len(text)) + `)"`, "sh"}, args...)
}

// talk is an answer that others look at while it comes.
type talk struct {
	frames Frames
	out    buffer
}

func newTalk() *talk { return &talk{frames: NewFrames()} }

// said tells whether a line stands in a part so far.
func (t *talk) said(part, line string) bool {
	return slices.Contains(strings.Split(t.frames.Partial(t.out.Bytes()).Text(part), "\n"), line)
}

// process is a started session.
type process struct {
	sess  *ssh.Session
	conn  *conn
	stdin io.WriteCloser
	first string
	once  sync.Once

	inputErr atomic.Pointer[readError]

	stdout, stderr *skipper
	heard          *noted
	noisy          chan struct{} // closed when the command will not begin behind the noise
	noisyOnce      sync.Once
	// Set by wait: whether the command itself was run, and what came instead.
	begun      bool
	out, error []byte
}

func (h *sshHost) start(ctx context.Context, what string, argv []string, stdout, stderr io.Writer) (*process, error) {
	argv, mark := marked(argv, h.cfg.test.path)
	command, first, err := h.asRoot(argv)
	if err != nil {
		return nil, err
	}
	sess, c, err := h.session(ctx)
	if err != nil {
		return nil, err
	}
	p := &process{sess: sess, conn: c, first: first, heard: &h.heard, noisy: make(chan struct{})}
	p.stdout, p.stderr = newSkipper(stdout, mark, p.tooNoisy), newSkipper(stderr, mark, p.tooNoisy)
	sess.Stdout, sess.Stderr = p.stdout, p.stderr
	if p.stdin, err = sess.StdinPipe(); err == nil {
		_, err = await(ctx, func() (struct{}, error) { return struct{}{}, sess.Start(command) }, func(struct{}) {})
	}
	if err != nil {
		go p.kill()
		if ctx.Err() != nil {
			return nil, Errorf(h.cfg.Name, "start %s: %w", what, ctx.Err())
		}
		return nil, lost(h.cfg.Name, what, err)
	}
	return p, nil
}

// feed writes the input and closes it. Only a reader that fails is an error
// (known before the process sees the end of its input): a process need not
// read all.
func (p *process) feed(in io.Reader) {
	defer p.stdin.Close()
	if _, err := io.WriteString(p.stdin, p.first); err != nil || in == nil {
		return
	}
	_, err := io.Copy(p.stdin, readErrors{in})
	var bad readError
	if errors.As(err, &bad) {
		p.inputErr.Store(&bad)
	}
}

// wait waits for the end and for all output.
func (p *process) wait() error {
	err := p.sess.Wait()
	p.done()
	var noise, more []byte
	noise, p.out = p.stdout.end()
	more, p.error = p.stderr.end()
	p.begun = p.stdout.begun
	p.heard.add(noise)
	p.heard.add(more)
	return err
}

// kill ends the session. sshd passes the signal on to most users' processes,
// and closes the pipes of all.
func (p *process) kill() {
	p.once.Do(func() {
		p.sess.Signal(ssh.SIGTERM)
		p.conn.release()
	})
	p.sess.Close()
}

// tooNoisy is called when the shell has said more than any shell should.
func (p *process) tooNoisy() { p.noisyOnce.Do(func() { close(p.noisy) }) }

func (p *process) isNoisy() bool {
	select {
	case <-p.noisy:
		return true
	default:
		return false
	}
}

func (p *process) done() { p.once.Do(p.conn.release) }

// readErrors marks the errors of a reader, to tell them from the writer's.
type readErrors struct{ io.Reader }

type readError struct{ error }

func (r readErrors) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err != nil && err != io.EOF {
		err = readError{err}
	}
	return n, err
}
