package goal

import (
	"net"
	"slices"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/workload"
)

// A host that others have set up keeps its programs, its settings, its runtime and
// its kubelet: they count as wanted as they are. Of its static pods only the flags
// that the file names are compared, and of its certificates what they say is what
// they shall say. So the plan for an adopted cluster is empty until the file
// changes, and what is down or has expired is still seen.

// leaves says that a component of the host is left as it was found. A load
// balancer and a pod network are quorate's, where the file wants them.
func (h *Host) leaves(v model.Component) bool {
	return h.Found && h.Context.Pods[v] == workload.NoPod && !slices.Contains(model.Doors, v) && v != model.PodNetwork
}

// found is what quorate sets on a host of others: nothing, but for the names that
// a load balancer on every host needs.
func (s System) found(ctx component.Context) System {
	if !ctx.Spec.LoadBalancer.OnEveryHost() {
		return System{}
	}
	return System{HostsBlock: s.HostsBlock}
}

// Found is the state of settings that others have made.
func (s System) Found() model.Known[model.Installed] {
	if s.HostsBlock == "" {
		return model.Valid(workload.AsFound)
	}
	return model.Valid(s.Digest())
}

// certsOf are the certificates of a host of an adopted cluster. What a certificate
// says that was found is what it shall say, and the names of the file besides. A
// kubelet signs its serving certificate itself there, and who has taken admin.conf
// off a host has had a reason.
func (g *Goal) certsOf(h *Host, seen HostTraits) (out []pki.Cert) {
	for _, c := range h.Certs {
		found := seen.Certs[c.Path]
		if c.Name == pki.KubeletServer || h.Found && c.Name == pki.AdminConf && found == nil && seen.Certs != nil {
			continue
		}
		if as, err := pki.AsFound(c, found); h.Found && err == nil {
			if g.File.Spec.LoadBalancer.OnEveryHost() { // a kubeconfig leads to the endpoint
				as.Conf = c.Conf
			}
			if c = as; c.Name == pki.APIServer {
				c = c.WithSANs(append(slices.Clone(g.File.Spec.CertSANs), hostOf(g.File.Spec.ControlPlaneEndpoint))...)
			}
		}
		out = append(out, c)
	}
	return out
}

func hostOf(endpoint string) string {
	host, _, _ := net.SplitHostPort(endpoint)
	return host
}

// KeepFound completes the goal with what was seen of a cluster that others have
// made: where its hosts' ways lead, and which documents it has at all.
func (g *Goal) KeepFound(have model.Cluster) {
	external := g.File.Spec.LoadBalancer.Kind == spec.ExternalBalancer
	if external {
		g.keepOutside(have)
	}
	if g.File.Spec.Adopted == nil {
		return
	}
	for id, h := range g.Hosts {
		is, seen := have.Hosts[id]
		if !seen || !h.Found && !external {
			continue
		}
		g.Want.Edit(id, func(want *model.Host) {
			// A worker comes to a new endpoint; all others stay with what they use.
			if stays := !g.File.Spec.LoadBalancer.OnEveryHost() || h.Node.ControlPlane; stays && leads(is.Via) {
				want.Via = is.Via
			}
			if h.Found && leads(is.EtcdVia) {
				want.EtcdVia = is.EtcdVia
			}
		})
	}
	for _, doc := range []struct{ want, is *model.Known[string] }{{&g.Want.Published.ClusterInfo, &have.Published.ClusterInfo},
		{&g.Want.Published.KubeProxy, &have.Published.KubeProxy}} {
		if doc.is.Is("") { // somebody does without it
			*doc.want = model.Unknown[string]("the cluster has none")
		}
	}
}

// keepOutside: where somebody else's load balancer leads (by a name, an address,
// straight to a server) is theirs to change.
func (g *Goal) keepOutside(have model.Cluster) {
	for id := range g.Hosts {
		is := have.Hosts[id].Via.Or(model.Way{})
		if is.Kind == model.SharedBalancer || is.Kind == model.FixedServer {
			g.Want.Edit(id, func(want *model.Host) {
				if want.Via.Or(model.Way{}).Kind == model.SharedBalancer {
					want.Via = model.Is(is)
				}
			})
		}
	}
}

// leads says that a way was seen.
func leads(w model.Known[model.Way]) bool { return w.Or(model.Way{}) != (model.Way{}) }

// NeedsOf are the packages that a host needs: of one that was found, those of
// quorate's load balancer.
func (g *Goal) NeedsOf(id model.HostID) []Need {
	h := g.Hosts[id]
	switch {
	case h == nil:
		return (&Host{}).needs(g.Layout)
	case !h.Found:
		return h.needs(g.Layout)
	case !g.File.Spec.LoadBalancer.OnEveryHost():
		return nil
	}
	return slices.DeleteFunc(h.needs(g.Layout), func(n Need) bool {
		return !slices.Contains([]string{"curl", "nginx", g.Layout.FrontDoor.Stream}, n.Command)
	})
}
