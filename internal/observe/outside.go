package observe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
)

// Tried is what a host got when it tried the endpoint of a load balancer that is
// somebody else's.
type Tried struct {
	Answers bool   // an API server of this cluster
	Why     string // why nothing answers
	// Silent: nothing came back. One that refuses at least says at once that nothing
	// stands behind it.
	Silent bool
	// Past says that it was tried as the name will lead once quorate's line for it has
	// left the hosts file: until then it leads to quorate's own load balancer.
	Past bool
	// Led are the control planes whose API servers answered in Times tries.
	Led   model.HostSet
	Times int
	Err   error // it could not be tried

	shown *x509.Certificate
}

// firstTries is how often each host tries at the first look: a balancer should lead to
// another API server each time.
const firstTries = 3

// triedFor is how long a try may take: HAProxy tries a server that refuses three times
// before it gives up, and waits for a second in between.
const triedFor = 6 * time.Second

// nowhere is why nothing is heard of a name that nothing knows.
const nowhere = "has a name that leads nowhere there (neither by DNS nor by /etc/hosts)"

// outside tries the endpoint from each of these hosts that answers, if the balancer
// is somebody else's.
func (o *Observer) outside(ctx context.Context, out *Observation, shared *pki.Shared, ids []model.HostID) map[model.HostID]Tried {
	if out.Goal.File.Spec.LoadBalancer.Kind != spec.ExternalBalancer {
		return nil
	}
	var roots *x509.CertPool
	if shared != nil {
		roots = x509.NewCertPool()
		roots.AppendCertsFromPEM(shared.CA.Cert)
	}
	times := 1
	if o.tried == nil {
		times = firstTries
	}
	var wg sync.WaitGroup
	got := make([]Tried, len(ids))
	for i, id := range ids {
		got[i].Err = errors.New("its host does not answer")
		h, to := o.Hosts[id], out.Goal.Want.Hosts[id]
		if f, seen := out.Facts[id]; h == nil || !seen || f.Err != nil || out.silent[id] || !to.Roles.Node() {
			continue
		}
		wg.Go(func() {
			for range times {
				t := out.try(ctx, h, id, roots)
				if t.Led = out.serverOf(t.shown); t.Answers {
					t.Led, t.Times = t.Led.With(got[i].Led.List()...), got[i].Times+1
				}
				if got[i] = t; !t.Answers {
					return
				}
			}
		})
	}
	wg.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tried == nil {
		o.tried = map[model.HostID]Tried{}
	}
	for i, id := range ids {
		if was := o.tried[id]; got[i].Answers {
			got[i].Led, got[i].Times = got[i].Led.With(was.Led.List()...), was.Times+got[i].Times
		}
		o.tried[id] = got[i]
	}
	return maps.Clone(o.tried)
}

// try connects to the endpoint from a host, by what its name means there.
func try(ctx context.Context, h host.Host, g *goal.Goal, roots *x509.CertPool) Tried {
	return tryAt(ctx, h, g, roots, g.File.Spec.ControlPlaneEndpoint)
}

// tryAt connects to an address, and asks for an API server by the endpoint's name.
func tryAt(ctx context.Context, h host.Host, g *goal.Goal, roots *x509.CertPool, to string) Tried {
	ctx, cancel := context.WithTimeout(ctx, triedFor)
	defer cancel()
	conn, err := h.Dial(ctx, "tcp", to)
	if err != nil {
		return notConnected(ctx, err)
	}
	defer conn.Close()
	if roots == nil { // nobody is trusted yet
		roots = x509.NewCertPool()
	}
	client := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: g.File.EndpointHost(), MinVersion: tls.VersionTLS12})
	err = client.HandshakeContext(ctx)
	var noTLS tls.RecordHeaderError
	var other *tls.CertificateVerificationError
	switch {
	case err == nil:
		return Tried{Answers: true, shown: client.ConnectionState().PeerCertificates[0]}
	case errors.As(err, &other):
		return Tried{Why: "leads to something that is no API server of this cluster: " + other.Err.Error()}
	case ctx.Err() != nil:
		return Tried{Silent: true, Why: fmt.Sprintf("takes connections, and nothing answers within %v", triedFor)}
	case errors.As(err, &noTLS):
		return Tried{Why: "does not speak TLS"}
	}
	return Tried{Why: "closes connections at once: nothing that answers stands behind it"}
}

// serverOf is the control plane that has an API server's certificate.
func (o *Observation) serverOf(shown *x509.Certificate) (set model.HostSet) {
	if shown == nil {
		return set
	}
	for id, f := range o.Facts {
		block, _ := pem.Decode(f.Files[o.Goal.Layout.PKI.Leaf(pki.APIServer).Cert])
		if block != nil && bytes.Equal(block.Bytes, shown.Raw) {
			set = set.With(id)
		}
	}
	return set
}

// notConnected judges by what sshd says of a connection that it could not open: the
// operating system's words (OpenSSH, channels.c).
func notConnected(ctx context.Context, err error) Tried {
	said := func(any ...string) bool {
		return slices.ContainsFunc(any, func(s string) bool { return strings.Contains(strings.ToLower(err.Error()), s) })
	}
	switch {
	case said("refused"):
		return Tried{Why: "refuses connections: nothing stands behind it, or it does not run"}
	case said("name or service not known", "name resolution", "no address associated", "unknown host"):
		return Tried{Silent: true, Why: nowhere}
	case errors.Is(ctx.Err(), context.DeadlineExceeded) || said("timed out"):
		return Tried{Silent: true, Why: fmt.Sprintf("does not answer within %v", triedFor)}
	case said("no route to host", "unreachable"):
		return Tried{Silent: true, Why: "cannot be reached: there is no way to its address"}
	}
	return Tried{Err: err}
}

// answers is that as a fact.
func (t Tried) answers() model.Known[bool] {
	switch {
	case t.Err != nil && t.Past: // nothing is led to what cannot be tried
		return model.Is(false).Because("could not be tried: " + t.Err.Error())
	case t.Err != nil:
		return model.Unknown[bool](t.Err.Error())
	}
	return model.Is(t.Answers).Because(t.Why)
}

// unheard is why a machine that is new cannot be the host: nothing comes back from
// the endpoint. It may refuse while nothing stands behind it.
func unheard(g *goal.Goal, o *Observation, h *goal.Host, id model.HostID, f Facts) string {
	t, tried := o.Tried[id]
	if !tried || !t.Silent || f.Marker != "" || h.Found || h.Node.LoadBalancer {
		return ""
	}
	return fmt.Sprintf("tried from there, the endpoint %s %s; let it take connections from this host and lead them to %s, or refuse them "+
		"while these do not answer", g.File.Spec.ControlPlaneEndpoint, t.Why, strings.Join(g.Servers(), ", "))
}
