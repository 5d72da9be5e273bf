package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/prober"
	"quorate.dev/quorate/internal/spec"
)

// Probing is a probe that begins as soon as there is a way in.
type Probing struct {
	// start begins to ask through a host's front door.
	start func(context.Context, *observe.Observation, model.HostID) (*prober.Prober, error)

	mu    sync.Mutex
	busy  bool // it is being begun
	ended bool
	asks  *prober.Prober
	err   error // why it could not begin
	group sync.WaitGroup
}

// ErrNeverAsked says that a probe found no way in while it was to ask.
var ErrNeverAsked = errors.New("nothing was probed")

// Probe asks the cluster all the while, as a user's program on one of its hosts
// would: through that host's own front door. Workers come first, for a control
// plane's API server may be restarted. With no way in yet it begins when an apply
// sees the first one.
func (e *Engine) Probe(ctx context.Context, ob *observe.Observation) (*Probing, error) {
	p := &Probing{start: e.startProbe}
	if at, ok := door(ob); ok {
		var err error
		p.asks, err = p.start(ctx, ob, at)
		return p, err
	}
	e.seen = func(ob *observe.Observation) { p.saw(ctx, ob) }
	return p, nil
}

// saw begins the probe if it has not begun and what was seen has a way in.
func (p *Probing) saw(ctx context.Context, ob *observe.Observation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := door(ob)
	if !ok || p.busy || p.ended || p.asks != nil {
		return
	}
	p.busy = true
	p.group.Go(func() {
		asks, err := p.start(ctx, ob, at)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.busy, p.asks, p.err = false, asks, err
	})
}

// Stop ends the probe; its report is what the cluster's users would have noticed.
func (p *Probing) Stop(ctx context.Context) (prober.Report, error) {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.group.Wait()
	switch {
	case p.asks != nil:
		return p.asks.Stop(ctx)
	case p.err != nil:
		return prober.Report{}, fmt.Errorf("%w: %w", ErrNeverAsked, p.err)
	}
	return prober.Report{}, fmt.Errorf("%w: the API never answered through a front door", ErrNeverAsked)
}

// Waits says that the probe has not begun, for want of a way in.
func (p *Probing) Waits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asks == nil
}

func (e *Engine) startProbe(ctx context.Context, ob *observe.Observation, at model.HostID) (*prober.Prober, error) {
	cert, key, err := pki.AdminClient(*ob.Shared, "quorate-probe", 24*time.Hour, time.Now())
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ob.Shared.CA.Cert)
	h := e.observer.Hosts[at]
	to := fmt.Sprintf("127.0.0.1:%d", ob.Goal.File.EndpointPort())
	end, everywhere := ob.Goal.File.Spec.ControlPlaneEndpoint, ob.Goal.File.Spec.LoadBalancer.OnEveryHost()
	if have := ob.Have.Hosts[at]; end != "" && (!everywhere || !have.HasDoor()) {
		to = end // by what its name means there at the moment
	}
	p, err := prober.Start(ctx, prober.Config{
		Run: strings.ToLower(e.run),
		Dial: func(ctx context.Context) (net.Conn, error) {
			return h.Dial(ctx, "tcp", to)
		},
		TLS: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: ob.Goal.File.EndpointHost(),
			MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	e.tell(Event{Kind: Note, Text: fmt.Sprintf("probing through the front door of %s", at)})
	return p, nil
}

// door is the host from which to ask the endpoint, if the API answers there.
func door(ob *observe.Observation) (at model.HostID, ok bool) {
	if ob.Shared == nil {
		return "", false
	}
	serving := ob.Have.Serving()
	for _, id := range ob.Goal.IDs() {
		h := ob.Have.Hosts[id]
		worker := h.Roles.Has(model.Worker) && !h.Roles.Has(model.ControlPlane)
		leads := h.HasDoor() && h.Backends.Or(model.HostSet{}).Any(serving) ||
			h.Roles.Node() && ob.Have.Leads(id, model.Way{Kind: model.SharedAddress})
		if f := ob.Goal.File; f != nil && slices.Contains([]string{spec.NoBalancer, spec.ExternalBalancer}, f.Spec.LoadBalancer.Kind) {
			// There is no front door of ours.
			leads = slices.Contains(serving, id)
		}
		if !h.Up() || !leads {
			continue
		}
		if !ok || worker {
			at, ok = id, true
			if worker {
				return at, true
			}
		}
	}
	return at, ok
}
