package observe

import (
	"context"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/topology"
)

//go:embed past.sh
var pastText string

// mostAddresses is how many addresses of the endpoint are tried at most.
const mostAddresses = 8

// try connects to the endpoint from a host. Where the name still leads to a load
// balancer of quorate's, it is tried past that: nothing is led to what was not tried.
func (o *Observation) try(ctx context.Context, h host.Host, id model.HostID, roots *x509.CertPool) Tried {
	f := o.Facts[id]
	if o.Goal.Named(f.HostsBlock) == model.NoWay {
		return try(ctx, h, o.Goal, roots)
	}
	t := o.tryPast(ctx, h, id, roots)
	t.Past = true
	return t
}

// tryPast finds out where the name will lead, and tries that.
func (o *Observation) tryPast(ctx context.Context, h host.Host, id model.HostID, roots *x509.CertPool) Tried {
	g, f := o.Goal, o.Facts[id]
	if was := f.otherEndpoint(g); was != "" {
		return Tried{Why: "is to take the place of " + was + " together with the kind of its load balancer, which is one change too many: " +
			"leave controlPlaneEndpoint as it was, apply, and change it then"}
	}
	at, err := leadsPast(ctx, h, g, id)
	switch {
	case err != nil:
		return Tried{Err: fmt.Errorf("where its name will lead without quorate's line in /etc/hosts was not found out: %w", err)}
	case len(at) == 0:
		return Tried{Silent: true, Why: nowhere}
	}
	_, vip := topology.Led(f.HostsBlock, g.File.EndpointHost(), g.File.Spec.VIPAddress())
	for _, a := range at {
		if why := o.still(id, a.String(), vip); why != "" {
			return Tried{Why: "would lead to " + why + " by DNS or /etc/hosts, without the line that quorate has there"}
		}
	}
	_, port, _ := net.SplitHostPort(g.File.Spec.ControlPlaneEndpoint)
	var first Tried
	for i, a := range at { // as clients do: one after the other
		one, cancel := context.WithTimeout(ctx, triedFor/time.Duration(len(at)))
		t := tryAt(one, h, g, roots, net.JoinHostPort(a.String(), port))
		cancel()
		if i == 0 || t.Answers {
			first = t
		}
		if t.Answers {
			break
		}
	}
	return first
}

// otherEndpoint is what clients on the host still use in the place of the endpoint
// that the file names; "": that one.
func (f Facts) otherEndpoint(g *goal.Goal) string {
	name, port, _ := net.SplitHostPort(g.File.Spec.ControlPlaneEndpoint)
	if led, _ := topology.Led(f.HostsBlock, name, g.File.Spec.VIPAddress()); led != name {
		return led
	}
	for _, server := range []string{f.Server, f.adminServer(g)} {
		if u, err := url.Parse(server); err == nil && u.Hostname() == name && u.Port() != port {
			return u.Host
		}
	}
	return ""
}

// leadsPast are the addresses of the endpoint's name by the hosts file that the host
// is to have.
func leadsPast(ctx context.Context, h host.Host, g *goal.Goal, id model.HostID) (at []netip.Addr, err error) {
	ctx, cancel := context.WithTimeout(ctx, triedFor)
	defer cancel()
	old, err := h.ReadFile(ctx, goal.HostsPath)
	if err != nil {
		return nil, err
	}
	text := topology.MergeHosts(string(old), g.Hosts[id].System.HostsBlock)
	out, err := host.Output(ctx, h, host.Script{What: "look up the endpoint", Text: pastText, Args: []string{g.File.EndpointHost()},
		Stdin: strings.NewReader(text)})
	if err != nil {
		return nil, err
	}
	for _, l := range lines(out) {
		if l == "silent" {
			return nil, errors.New("its DNS does not answer")
		}
		if a, err := netip.ParseAddr(strings.Fields(l)[0]); err == nil && !slices.Contains(at, a.Unmap()) && len(at) < mostAddresses {
			at = append(at, a.Unmap())
		}
	}
	return at, nil
}

// still says that an address is one of the cluster's own load balancers, which goes.
func (o *Observation) still(id model.HostID, address, vip string) string {
	f := o.Facts[id]
	switch {
	case f.own(address):
		return "the host itself (" + address + ")"
	case address == vip || address == o.Goal.File.Spec.VIPAddress():
		return "the virtual address of quorate's load balancers (" + address + ")"
	}
	_, port, _ := net.SplitHostPort(o.Goal.File.Spec.ControlPlaneEndpoint)
	for other, h := range o.Goal.Hosts {
		f := o.Facts[other]
		door := f.Up(model.FrontDoor) || f.Up(model.Balancer) || f.Up(model.HAProxy)
		if h.Node.Address == address && door && port != o.Goal.Layout.APIServer.Port {
			return fmt.Sprintf("quorate's load balancer on %s (%s)", other, net.JoinHostPort(address, port))
		}
	}
	return ""
}

// unheardPast: while no API server answers, that none does past quorate's own load
// balancers says nothing of the other one.
func unheardPast(c *model.Cluster) {
	if len(c.Serving()) > 0 {
		return
	}
	for _, id := range c.IDs() {
		if h := c.Hosts[id]; h.EndpointUp.Is(false) && h.Named.Not(model.NoWay) {
			h.EndpointUp = model.Unknown[bool]("no API server answers")
			c.Put(id, h)
		}
	}
}
