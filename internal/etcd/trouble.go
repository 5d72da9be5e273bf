package etcd

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc/credentials"
)

// trouble is why the connection last failed; nil once an answer was read. gRPC retries
// in silence and ends in "context deadline exceeded", which helps nobody who
// has a wrong certificate.
type trouble struct {
	mu  sync.Mutex
	err error
}

// note keeps how a dial, a handshake or a first read ended. A connection that
// was merely cut tells less than what came before it; what gRPC closed or
// cancelled itself tells nothing.
func (t *trouble) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	cut := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	own := errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled)
	if own || cut && t.err != nil {
		return
	}
	t.err = err
}

func (t *trouble) cause() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// recording are TLS credentials that note how handshakes end.
type recording struct {
	credentials.TransportCredentials
	trouble *trouble
}

func (r recording) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := r.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		r.trouble.note(err)
		return nil, nil, err
	}
	return &firstRead{Conn: conn, trouble: r.trouble}, info, nil
}

func (r recording) Clone() credentials.TransportCredentials {
	return recording{r.TransportCredentials.Clone(), r.trouble}
}

// firstRead notes how the first read ends: in TLS 1.3 the server refuses a
// client's certificate only after the client thinks that all is well.
type firstRead struct {
	net.Conn
	trouble *trouble
	once    sync.Once
}

func (f *firstRead) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	f.once.Do(func() { f.trouble.note(err) })
	return n, err
}

// Write: when it fails before anything was read, the server may have said why.
func (f *firstRead) Write(b []byte) (int, error) {
	n, err := f.Conn.Write(b)
	if err != nil {
		f.once.Do(func() {
			f.SetReadDeadline(time.Now().Add(time.Second))
			if _, why := f.Conn.Read(make([]byte, 1)); why != nil {
				f.trouble.note(why)
			}
		})
	}
	return n, err
}
