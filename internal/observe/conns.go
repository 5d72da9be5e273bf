package observe

import (
	"context"
	"crypto/tls"
	"sync"
	"time"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/pki"
)

// conns keeps one client a host and kind, so that looking again costs no new
// handshake. One certificate of each kind is made for them, in memory; it lives
// a day. No client dials before it is first used, so that the mutex is held for
// a moment only.
type conns struct {
	mu   sync.Mutex
	of   string // the identity of the keys they were made with
	etcs map[string]*etcd.Client
	apis map[string]*kubeapi.Client
	tls  *tls.Config         // for etcd, once made
	cred kubeapi.Credentials // for API servers, once made
}

func (c *conns) begin(shared *pki.Shared) {
	if id := shared.Identity(); c.of != id {
		c.of, c.etcs, c.apis, c.tls, c.cred = id, map[string]*etcd.Client{}, map[string]*kubeapi.Client{}, nil, kubeapi.Credentials{}
	}
}

func (c *conns) etcd(ctx context.Context, h host.Host, at layout.Layout, shared *pki.Shared) (*etcd.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin(shared)
	if e, ok := c.etcs[h.Name()]; ok {
		return e, nil
	}
	if c.tls == nil {
		config, err := pki.EtcdTLS(*shared, time.Now())
		if err != nil {
			return nil, err
		}
		c.tls = config
	}
	e, err := etcd.Connect(ctx, h, c.tls, "127.0.0.1:"+at.Etcd.ClientPort)
	if err == nil {
		c.etcs[h.Name()] = e
	}
	return e, err
}

func (c *conns) api(ctx context.Context, h host.Host, at layout.Layout, shared *pki.Shared) (*kubeapi.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin(shared)
	if k, ok := c.apis[h.Name()]; ok {
		return k, nil
	}
	if c.cred.Cert == nil {
		cert, key, err := pki.AdminClient(*shared, "quorate", 24*time.Hour, time.Now())
		if err != nil {
			return nil, err
		}
		c.cred = kubeapi.Credentials{CA: shared.CA.Cert, Cert: cert, Key: key}
	}
	// Certificates of others need not be for loopback; all are for this name.
	k, err := kubeapi.Connect(h, "127.0.0.1:"+at.APIServer.Port, "kubernetes", c.cred)
	if err == nil {
		c.apis[h.Name()] = k
	}
	return k, err
}

// Etcd is a client of the member on a host.
func (o *Observer) Etcd(ctx context.Context, h host.Host, shared *pki.Shared) (*etcd.Client, error) {
	return o.dials.etcd(ctx, h, goal.LayoutOf(o.File), shared)
}

// API is a client of the API server on a host.
func (o *Observer) API(ctx context.Context, h host.Host, shared *pki.Shared) (*kubeapi.Client, error) {
	return o.dials.api(ctx, h, goal.LayoutOf(o.File), shared)
}
