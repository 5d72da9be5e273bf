package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/prober"
)

// ErrNoDoor says that there is nothing to probe: no host that stays has a front
// door that leads anywhere.
var ErrNoDoor = errors.New("no host that stays has a front door through which the API answers")

// Probe begins to ask the cluster, as a user's program on one of its hosts
// would: through that host's own front door. Workers come first, for a control
// plane's API server may be restarted.
func (e *Engine) Probe(ctx context.Context, ob *observe.Observation) (*prober.Prober, error) {
	at, ok := door(ob)
	if !ok || ob.Shared == nil {
		return nil, ErrNoDoor
	}
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
	p, err := prober.Start(ctx, prober.Config{
		Run: strings.ToLower(e.run),
		Dial: func(ctx context.Context) (net.Conn, error) {
			return h.Dial(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", ob.Goal.File.EndpointPort()))
		},
		TLS: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: ob.Goal.File.EndpointHost(), MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	e.tell(Event{Kind: Note, Text: fmt.Sprintf("probing through the front door of %s", at)})
	return p, nil
}

// door is the host through whose front door to ask.
func door(ob *observe.Observation) (at model.HostID, ok bool) {
	for _, id := range ob.Goal.IDs() {
		h := ob.Have.Hosts[id]
		if !h.Up() || !h.Runs(model.FrontDoor) || h.Strands(ob.Have.Serving()) {
			continue
		}
		if worker := !h.Roles.Has(model.ControlPlane); !ok || worker {
			at, ok = id, true
			if worker {
				return at, true
			}
		}
	}
	return at, ok
}
