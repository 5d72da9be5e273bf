package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"quorate.dev/quorate/internal/plain"
)

// Dial opens a connection from the host's side: by SSH forwarding, or by a
// command on the host when sshd forwards nothing.
func (h *sshHost) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if network != "tcp" && network != "unix" {
		return nil, Errorf(h.cfg.Name, "dial %s %s: network must be tcp or unix", network, addr)
	}
	for again := false; ; again = true {
		c, err := h.get(ctx)
		if err != nil {
			return nil, err
		}
		// Forwarding dials as the login user, who may not open root's sockets.
		if c.noForward.Load() || network == "unix" && h.cfg.sudo() {
			return h.dialByCommand(ctx, network, addr)
		}
		raw, err := opened(ctx, c, func() (net.Conn, error) { return c.client.Dial(network, addr) }, func(n net.Conn) { n.Close() })
		var refused *ssh.OpenChannelError
		switch {
		case err == nil:
			return newNetConn(raw, network, addr), nil
		case ctx.Err() != nil:
			return nil, h.dialError(network, addr, ctx.Err())
		case errors.As(err, &refused):
			if refused.Reason == ssh.Prohibited || refused.Reason == ssh.UnknownChannelType {
				c.noForward.Store(network == "tcp")
				return h.dialByCommand(ctx, network, addr)
			}
			if network == "unix" { // sshd gives this reason for a forbidden one too
				return h.dialByCommand(ctx, network, addr)
			}
			return nil, h.dialError(network, addr, errors.New(plain.Line(clip(refused.Message, 300))))
		case again:
			return nil, lost(h.cfg.Name, "dial "+addr, err)
		}
		c.close()
	}
}

func (h *sshHost) dialError(network, addr string, err error) error {
	return &net.OpError{Op: "dial", Net: network, Addr: hostAddr{network, addr}, Err: fmt.Errorf("from %s: %w", h.cfg.Name, err)}
}

// relay joins stdin and stdout with a connection, and says "ready" on stderr
// once it stands. socat says it in its own words.
const relay = `
if command -v socat >/dev/null; then
	case $1-$2 in tcp-*:*) exec socat -d -d - "TCP:[$2]:$3";; tcp-*) exec socat -d -d - "TCP:$2:$3";; *) exec socat -d -d - "UNIX-CONNECT:$2";; esac
fi
[ "$1" = tcp ] || { echo "sshd forwards no sockets and socat is missing: install socat" >&2; exit 127; }
command -v bash >/dev/null || { echo "sshd forwards no ports, and socat and bash are missing: install socat" >&2; exit 127; }
exec bash -c 'exec 3<>"/dev/tcp/$1/$2" || exit 1
echo ready >&2; exec 4<&0
{ cat <&4 >&3; kill $$; } 2>/dev/null &
cat <&3; kill $! 2>/dev/null' bash "$2" "$3"
`

func (h *sshHost) dialByCommand(ctx context.Context, network, addr string) (net.Conn, error) {
	argv := []string{"sh", "-c", relay, "sh", network, addr}
	if network == "tcp" {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, h.dialError(network, addr, err)
		}
		argv = append(argv[:len(argv)-1], host, port)
	}
	out, in := io.Pipe()
	said := &readiness{buffer: buffer{most: maxStderr}, ready: make(chan struct{})}
	p, err := h.start(ctx, "dial "+addr, argv, in, said)
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() {
		err := p.wait()
		said.Write(p.error)
		in.CloseWithError(io.EOF)
		ended <- err
	}()
	if _, err := io.WriteString(p.stdin, p.first); err != nil {
		p.kill()
		return nil, lost(h.cfg.Name, "dial "+addr, err)
	}
	select {
	case <-said.ready:
		return newNetConn(&commandConn{Reader: out, p: p, out: out}, network, addr), nil
	case <-p.noisy:
		go p.kill()
		out.Close()
		return nil, h.dialError(network, addr, endless(h.cfg.Name, "dial"))
	case err := <-ended:
		if isExit(err) || err == nil {
			return nil, h.dialError(network, addr, errors.New(said.why()))
		}
		return nil, lost(h.cfg.Name, "dial "+addr, err)
	case <-ctx.Done():
		go p.kill()
		out.Close()
		return nil, h.dialError(network, addr, ctx.Err())
	}
}

// readiness watches stderr for the relay's word.
type readiness struct {
	buffer
	once  sync.Once
	ready chan struct{}
}

func (r *readiness) Write(p []byte) (int, error) {
	n, err := r.buffer.Write(p)
	if s := string(r.Bytes()); strings.HasPrefix(s, "ready\n") || strings.Contains(s, "starting data transfer loop") {
		r.once.Do(func() { close(r.ready) })
	}
	return n, err
}

// why is the line that tells of the error; socat says more after it.
func (r *readiness) why() string {
	all := string(r.Bytes())
	for line := range strings.Lines(all) {
		if _, e, ok := strings.Cut(line, "] E "); ok {
			return lastLine(e)
		}
	}
	return lastLine(all)
}

// commandConn is the relay's stdin and stdout.
type commandConn struct {
	io.Reader
	p   *process
	out *io.PipeReader
}

func (c *commandConn) Write(b []byte) (int, error) { return c.p.stdin.Write(b) }

func (c *commandConn) Close() error {
	c.out.Close()
	c.p.stdin.Close()
	time.AfterFunc(time.Second, c.p.kill) // it ends by itself at the end of its input
	return nil
}
