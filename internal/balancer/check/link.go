package check

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// mostKept bounds the idle connections of a link.
const mostKept = 4

// link is a transport of one question or of a row of them, with the
// connections that it opened.
type link struct {
	transport *http.Transport
	lost      atomic.Pointer[func()]
	open      *conns // of all links to this backend

	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

func newLink(a *asker, lost func()) *link {
	l := &link{open: &a.conns}
	l.lost.Store(&lost)
	dialer := &net.Dialer{Timeout: a.giveUp}
	dialer.SetMultipathTCP(false)
	if a.target.Interval > time.Second {
		// Questions are rare, so the kernel asks in between: a silent host
		// breaks the kept connection after two seconds. That only brings the
		// next question, so one lost packet does no harm.
		dialer.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 1}
	}
	l.transport = &http.Transport{
		TLSClientConfig: a.tls.Clone(), ForceAttemptHTTP2: a.read.http2(), DisableCompression: true,
		// Where an answer takes longer than it does until the next question, that one
		// needs a connection of its own; it is kept, for a handshake is dear to both.
		MaxIdleConnsPerHost: mostKept, MaxResponseHeaderBytes: 16 << 10, ReadBufferSize: 2 << 10, WriteBufferSize: 2 << 10,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return l.add(c)
		},
	}
	return l
}

func (l *link) add(c net.Conn) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		c.Close()
		return nil, net.ErrClosed
	}
	l.conns = append(l.conns, c)
	l.open.add(c)
	return &watched{Conn: c, link: l}, nil
}

// retire: nobody wants to hear any more when this link breaks.
func (l *link) retire() {
	l.lost.Store(nil)
	l.transport.CloseIdleConnections()
}

// outrun retires it, and closes it when all that runs over it has ended.
func (l *link) outrun(giveUp time.Duration) {
	time.AfterFunc(giveUp, func() { l.close() })
	l.retire()
}

// close says whether it was closed before.
func (l *link) close() (before bool) {
	l.retire()
	l.mu.Lock()
	defer l.mu.Unlock()
	before, l.closed = l.closed, true
	for _, c := range l.conns {
		l.open.remove(c)
		c.Close()
	}
	l.conns = nil
	return before
}

// forget drops a connection that ended. The transport may open another one.
func (l *link) forget(c net.Conn) {
	l.open.remove(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, have := range l.conns {
		if have == c {
			l.conns = append(l.conns[:i], l.conns[i+1:]...)
			return
		}
	}
}

// watched notices at once when the other side ends an idle connection, since
// the transport always has a read waiting. An end that TLS announces reaches
// the transport without an error here; it then closes the connection.
type watched struct {
	net.Conn
	link *link
	once sync.Once
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err != nil {
		w.ended()
	}
	return n, err
}

func (w *watched) Close() error {
	err := w.Conn.Close()
	w.ended()
	return err
}

func (w *watched) ended() {
	w.once.Do(func() {
		w.link.forget(w.Conn)
		if lost := w.link.lost.Load(); lost != nil {
			(*lost)()
		}
	})
}
