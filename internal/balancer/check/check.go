// Package check asks backends whether they can serve: Kubernetes API servers
// over HTTPS, etcd members over gRPC. It reports what came of a question and
// draws no conclusion; package health does.
package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/health"
)

// GiveUp is how long a check may take: longer than the time-out after which
// health draws its conclusions, so that a late answer is still seen as one.
func GiveUp(c config.Check) time.Duration { return max(2*time.Second, 2*c.Timeout.Std()) }

// An Asker asks one backend. Its methods are safe for concurrent use.
type Asker interface {
	Ask(ctx context.Context, q health.Question) health.Answer
	// Heard is when something last came over one of its connections: from the
	// backend's host, whose kernel acknowledges what it gets, and from the server.
	Heard() (host, server time.Time)
	Close()
}

// Target is what an Asker asks.
type Target struct {
	Backend config.Backend
	// Lost is called, from any goroutine, when the kept connection breaks.
	Lost func()
	// Interval is the time between two questions.
	Interval time.Duration
}

// Factory makes the Askers of one way.
type Factory func(Target) Asker

// New reads the certificates that c names, and returns the way to ask its kind.
func New(c config.Check) (Factory, error) {
	secured, err := trust(c)
	if err != nil {
		return nil, err
	}
	var read reader
	switch c.Kind {
	case config.KindEtcd:
		cluster, err := config.ID(c.ClusterID)
		if err != nil {
			return nil, err
		}
		read = etcdReader{cluster}
	default:
		read = readyzReader{c.UnauthorizedIsReady}
	}
	return func(t Target) Asker {
		a := &asker{target: t, read: read, tls: secured.Clone(), giveUp: GiveUp(c)}
		if a.tls.ServerName == "" {
			if at, err := netip.ParseAddrPort(t.Backend.Address); err == nil {
				a.tls.ServerName = at.Addr().String()
			}
		}
		return a
	}, nil
}

func trust(c config.Check) (*tls.Config, error) {
	text, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, fmt.Errorf("check.ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("check.ca: %s holds no certificate", c.CA)
	}
	secured := &tls.Config{
		RootCAs: pool, ServerName: c.ServerName, MinVersion: tls.VersionTLS12,
		// Nothing here must stay secret for decades, so both sides are spared the
		// hybrid key exchange that Go prefers.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
	}
	if c.Certificate == "" {
		return secured, nil
	}
	if _, err := tls.LoadX509KeyPair(c.Certificate, c.Key); err != nil {
		return nil, fmt.Errorf("check.certificate: %w", err)
	}
	// Read anew for each connection: certificates are renewed in place.
	secured.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		return &pair, err
	}
	return secured, nil
}

// reader is what differs between kinds of backends.
type reader interface {
	http2() bool // which it asks over
	request(ctx context.Context, base string, alive bool) (*http.Request, error)
	read(resp *http.Response, b config.Backend) health.Answer
}

// asker keeps one connection to a backend.
type asker struct {
	target Target
	read   reader
	tls    *tls.Config
	giveUp time.Duration

	conns conns

	mu     sync.Mutex
	kept   *link
	closed bool
}

func (a *asker) Heard() (host, server time.Time) { return a.conns.heard(time.Now()) }

func (a *asker) Ask(ctx context.Context, q health.Question) health.Answer {
	ctx, cancel := context.WithTimeout(ctx, a.giveUp)
	defer cancel()
	l := a.link(q)
	if q.Alive {
		defer l.close()
	}
	req, err := a.read.request(ctx, "https://"+a.target.Backend.Address, q.Alive)
	if err != nil {
		return health.Answer{Result: health.OurFault, Reason: err.Error()}
	}
	resp, err := l.transport.RoundTrip(req)
	if err != nil {
		answer := failure(ctx, err)
		if answer.Result == health.Silence {
			a.outrun(l)
		} else if l.drop(a) {
			answer = health.Answer{Result: health.OurFault, Reason: "its connection was closed here"}
		}
		return answer
	}
	defer resp.Body.Close()
	if q.Alive {
		return health.Answer{Result: health.OK, Reason: resp.Status}
	}
	answer := a.read.read(resp, a.target.Backend)
	if answer.Result >= health.Refused && l.drop(a) {
		answer.Result = health.OurFault
	}
	return answer
}

// link returns the kept connection, or a new one, which is then the kept one
// unless it was only to show that the server lives.
func (a *asker) link(q health.Question) *link {
	if q.Alive {
		return newLink(a, func() {})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept != nil && !q.Fresh {
		return a.kept
	}
	if a.kept != nil {
		a.kept.outrun(a.giveUp)
	}
	a.kept = newLink(a, a.target.Lost)
	if a.closed {
		a.kept.close()
	}
	return a.kept
}

// outrun: others get a new link. What still runs over this one may be answered
// yet.
func (a *asker) outrun(l *link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept == l {
		a.kept = nil
		l.outrun(a.giveUp)
	}
}

// drop gives up a link that failed, and says whether it was closed before: then
// what failed since says nothing of the backend.
func (l *link) drop(a *asker) (closed bool) {
	a.mu.Lock()
	if a.kept == l {
		a.kept = nil
	}
	a.mu.Unlock()
	return l.close()
}

func (a *asker) Close() {
	a.mu.Lock()
	l := a.kept
	a.kept, a.closed = nil, true
	a.mu.Unlock()
	if l != nil {
		l.close()
	}
}

// failure tells the ways in which no answer came apart.
func failure(ctx context.Context, err error) health.Answer {
	answer := health.Answer{Result: health.Broken, Reason: short(err)}
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		answer.Result = health.Refused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EHOSTDOWN):
		answer.Result = health.Unreachable
	case errors.Is(err, context.Canceled) && errors.Is(ctx.Err(), context.Canceled), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENETUNREACH),
		errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.EPERM):
		answer.Result = health.OurFault
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		answer.Result = health.Silence
	}
	return answer
}

// short is what people need of a network error: its cause.
func short(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}
