// Package etcd speaks to etcd's members through a host's own network, and knows
// what of etcd's data lies on a host's disk. Which member joins or leaves, and
// when, is decided elsewhere.
package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// callTimeout bounds a call whose context has no deadline of its own.
const callTimeout = 10 * time.Second

// Dialer is what a Client needs of a host (host.Host is one): etcd is asked
// from the host's side, so that no port need be open towards the operator.
type Dialer interface {
	Name() string
	Dial(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client speaks to one member. It never goes to another by itself: whose
// answer one has is part of the answer.
type Client struct {
	host     string
	endpoint string
	Etcd     *clientv3.Client
	trouble  *trouble
}

// Connect prepares a client of the member at endpoint (host:port as seen from
// h), with pki.EtcdTLS or a configuration of the caller's. No connection is
// made before the first call, so a dead member shows there.
func Connect(ctx context.Context, h Dialer, config *tls.Config, endpoint string) (*Client, error) {
	c := &Client{host: h.Name(), endpoint: endpoint, trouble: &trouble{}}
	dial := func(ctx context.Context, addr string) (net.Conn, error) {
		conn, err := h.Dial(ctx, "tcp", addr)
		if err != nil {
			c.trouble.note(err) // a success proves nothing yet
		}
		return conn, err
	}
	creds := recording{credentials.NewTLS(config.Clone()), c.trouble}
	client, err := clientv3.New(clientv3.Config{
		Context:   context.WithoutCancel(ctx), // Close ends it; each call has its own context
		Endpoints: []string{"https://" + endpoint},
		TLS:       config.Clone(),
		DialOptions: []grpc.DialOption{
			grpc.WithContextDialer(dial), grpc.WithTransportCredentials(creds),
			grpc.WithChainUnaryInterceptor(failFast), grpc.WithChainStreamInterceptor(failFastStream),
		},
		Logger:          zap.NewNop(), // nothing below the CLI prints
		MaxUnaryRetries: 20,           // half a second; who needs more waits himself
		// Through SSH a dead host looks like silence; notice it.
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 5 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: connect to etcd at %s: %w", c.host, endpoint, err)
	}
	c.Etcd = client
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.Etcd.Close() }

// Endpoint is the address of the member it speaks to.
func (c *Client) Endpoint() string { return c.endpoint }

// call runs one request with a deadline and names host, place and cause when
// it fails.
func (c *Client) call(ctx context.Context, doing string, f func(context.Context) error) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	return c.explain(doing, f(ctx))
}

// explain wraps an error. When the connection itself failed, gRPC may report
// only a time-out; the connection knows better.
func (c *Client) explain(doing string, err error) error {
	var answer rpctypes.EtcdError
	cause := c.trouble.cause()
	switch {
	case err == nil:
		return nil
	case cause == nil || errors.As(err, &answer):
		return fmt.Errorf("%s: %s: etcd at %s: %w", c.host, doing, c.endpoint, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %s: etcd at %s cannot be reached: %w (%w)", c.host, doing, c.endpoint, cause, err)
	}
	return fmt.Errorf("%s: %s: etcd at %s cannot be reached: %w", c.host, doing, c.endpoint, cause)
}

// failFast undoes clientv3's WaitForReady: a refused connection is told at
// once, and not when the time is up.
func failFast(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker,
	opts ...grpc.CallOption) error {
	return invoke(ctx, method, req, reply, cc, append(opts, grpc.WaitForReady(false))...)
}

func failFastStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, stream grpc.Streamer,
	opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return stream(ctx, desc, cc, method, append(opts, grpc.WaitForReady(false))...)
}
