package check

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"quorate.dev/quorate/internal/balancer/health"
)

// link is a transport of one question or of a row of them, with the
// connections that it opened.
type link struct {
	transport *http.Transport
	lost      atomic.Pointer[func()]
	heard     func(health.Sign)

	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

func newLink(a *asker, lost func()) *link {
	l := &link{heard: a.target.Heard}
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
		TLSClientConfig: a.tls.Clone(), ForceAttemptHTTP2: true, DisableCompression: true,
		MaxIdleConnsPerHost: 1, MaxResponseHeaderBytes: 16 << 10, ReadBufferSize: 2 << 10, WriteBufferSize: 2 << 10,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			l.heard(health.HostLives)
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
	return &watched{Conn: c, link: l}, nil
}

// retire: nobody wants to hear any more when this link breaks.
func (l *link) retire() {
	l.lost.Store(nil)
	l.transport.CloseIdleConnections()
}

func (l *link) close() {
	l.retire()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

// forget drops a connection that ended. The transport may open another one.
func (l *link) forget(c net.Conn) {
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
	if n > 0 {
		w.link.heard(health.ServerLives)
	}
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
