package step

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"quorate.dev/quorate/internal/addon"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeconfig"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/plan"
)

// PointAdmin leads a host's admin kubeconfigs to the endpoint. Only the server in
// them changes.
type PointAdmin struct{ on }

// About implements plan.Step.
func (s PointAdmin) About() plan.About {
	return plan.About{Kind: "point-admin", Host: s.ID, Title: "lead admin.conf to the endpoint", Why: s.Want.AdminServer.Or("")}
}

// Need implements plan.Step.
func (s PointAdmin) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	return s.endpointLeads(c)
}

// Effect implements plan.Step.
func (s PointAdmin) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) { h.AdminServer = s.Want.AdminServer })
}

// Interim implements plan.Step: each file is replaced by one rename.
func (s PointAdmin) Interim(*model.Cluster) {}

// Do implements Action.
func (s PointAdmin) Do(ctx context.Context, e Env) error {
	at := e.Goal.Layout.PKI
	for _, name := range []string{pki.AdminConf, pki.SuperAdminConf} {
		path := at.ConfFile(name)
		old, err := e.Host.ReadFile(ctx, path)
		if err != nil {
			return err
		}
		if len(old) == 0 {
			continue
		}
		text, err := kubeconfig.SetServer(old, s.Want.AdminServer.Or(""))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := write(ctx, e, []host.File{{Path: path, Content: text, Mode: 0o600, Secret: true}}); err != nil {
			return err
		}
	}
	return nil
}

// pointAdmin: one that is missing is the certificates' business.
func pointAdmin(have *model.Host, at on, _ model.Cluster) []plan.Step {
	if have.AdminServer.Is("") || !model.Differs(have.AdminServer, at.Want.AdminServer) {
		return nil
	}
	return []plan.Step{PointAdmin{at}}
}

// RestartProxy restarts a kube-proxy that is a pod and still uses the server that
// its configuration named when it started. What it has set up goes on meanwhile.
type RestartProxy struct {
	on
	uses  string
	addon model.Known[model.Installed] // kube-proxy's configuration, as it shall be
	names model.Known[string]          // the server in it
}

// About implements plan.Step.
func (s RestartProxy) About() plan.About {
	return plan.About{Kind: "restart-proxy", Host: s.ID, Title: "restart the kube-proxy pod",
		Why: "it still uses " + s.uses}
}

// Need implements plan.Step.
func (s RestartProxy) Need(c model.Cluster) error {
	if err := s.reach(c); err != nil {
		return err
	}
	switch {
	case len(c.Serving()) == 0:
		return errors.New("no API server answers")
	case !model.Same(c.Addons[addon.AddonKubeProxy], s.addon) || s.names.Known() && !c.Published.KubeProxy.Is(s.names.Or("")):
		return errors.New("the configuration of kube-proxy is not changed yet")
	}
	return s.endpointLeads(c)
}

// Effect implements plan.Step.
func (s RestartProxy) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		if s.Want.ProxyServer.Known() {
			h.ProxyServer = s.Want.ProxyServer
			return
		}
		forgetProxy(h, s.Want)
	})
}

// forgetProxy: where a kube-proxy goes behind somebody else's load balancer is not known.
func forgetProxy(h, want *model.Host) {
	if !want.ProxyServer.Known() && h.ProxyServer.Or("") != "" {
		h.ProxyServer = model.Unknown[string]("the load balancer is somebody else's")
	}
}

// Interim implements plan.Step: its rules stay in the kernel.
func (s RestartProxy) Interim(*model.Cluster) {}

// Do implements Action: the DaemonSet makes another pod.
func (s RestartProxy) Do(ctx context.Context, e Env) error {
	c, err := e.API(ctx)
	if err != nil {
		return err
	}
	return c.RestartPods(ctx, "kube-system", "k8s-app=kube-proxy", string(s.ID))
}

// restartProxies propose that for each host; one of whose kube-proxy nothing is
// known is left alone.
func restartProxies(have, want model.Cluster) (out []plan.Step) {
	for _, id := range want.IDs() {
		w := want.Hosts[id]
		h := have.Hosts[id]
		stays := w.EndpointUp.Is(true) && !w.ProxyServer.Known() && h.Named.Is(model.NoWay) // with what quorate's balancer was
		if uses := h.ProxyServer.Or(""); uses != "" && (stays || model.Differs(h.ProxyServer, w.ProxyServer)) {
			out = append(out, RestartProxy{hostOf(want, id), uses, want.Addons[addon.AddonKubeProxy], want.Published.KubeProxy})
		}
	}
	return out
}

// documents are those of Published that an addon writes.
var documents = map[string][]func(*model.Published) *model.Known[string]{
	addon.AddonClusterInfo: {clusterInfo},
	addon.AddonKubeadm:     {clusterInfo, func(p *model.Published) *model.Known[string] { return &p.KubeadmConfig }},
	addon.AddonKubeProxy:   {func(p *model.Published) *model.Known[string] { return &p.KubeProxy }},
}

func clusterInfo(p *model.Published) *model.Known[string] { return &p.ClusterInfo }

// misleads says that a document of an addon names another server than is wanted.
func misleads(name string, have, want model.Published) bool {
	return slices.ContainsFunc(documents[name], func(of func(*model.Published) *model.Known[string]) bool {
		return model.Differs(*of(&have), *of(&want))
	})
}

// publishes writes what the documents name once the addon is applied.
func publishes(name string, to *model.Published, want model.Published) {
	for _, of := range documents[name] {
		if of(&want).Known() {
			*of(to) = *of(&want)
		}
	}
}

// endpointLeads is the need of all that leads clients to the endpoint: it works
// on the host, and no API server behind it shows a certificate of another name.
func (o on) endpointLeads(c model.Cluster) error {
	h, serving := c.Hosts[o.ID], c.Serving()
	if !wantsDoor(o.Want) {
		return namesServed(c, model.SetOf(serving...), serving)
	}
	leads := h.Backends.Or(model.HostSet{})
	if !h.HasDoor() || !leads.Any(serving) {
		return errors.New("its front door, where the endpoint leads, does not lead to an API server that answers yet")
	}
	return namesServed(c, leads, serving)
}

// everybodyReaches is the need of documents that are read on all nodes: each has
// its front door. One that does not answer is not waited for.
func (s Addon) everybodyReaches(c model.Cluster) error {
	if err := s.endpointLeads(c); err != nil || !wantsDoor(s.Want) {
		return err
	}
	for _, id := range c.IDs() {
		if h := c.Hosts[id]; h.Up() && h.Roles.Node() && h.Node.Registered.Is(true) && !h.HasDoor() {
			return fmt.Errorf("the front door of %s, where the endpoint leads there, is not running yet", id)
		}
	}
	return nil
}

// namesServed: clients refuse a server whose certificate does not say the name by which
// they came.
func namesServed(c model.Cluster, backends model.HostSet, serving []model.HostID) error {
	for _, id := range serving {
		if h := c.Hosts[id]; backends.Has(id) && h.ServesName.Is(false) {
			return notYet(c, id, fmt.Sprintf("the API server of %s does not show a certificate for the endpoint yet", id))
		}
	}
	return nil
}

// opens is the need of a host's first front door. Where clients reach the API by
// another way until now, they come to it at once: what checks no API server waits
// until all of them answer.
func (s Run) opens(c model.Cluster, h model.Host, serving []model.HostID, checks bool) error {
	if !h.Runs(model.Kubelet) || !leavesServer(c, s.ID) {
		return nil
	}
	if len(serving) == 0 {
		return errors.New("no API server answers")
	}
	wants := s.Want.Backends.Or(model.HostSet{})
	for _, id := range wants.List() {
		if b := c.Hosts[id]; !checks && !(b.Up() && b.Ready.Is(true)) {
			return notYet(c, id, fmt.Sprintf("the API server of %s does not answer yet", id))
		}
	}
	return namesServed(c, wants, serving)
}

// leavesServer says that clients are to leave the one API server that they use
// directly: on a worker its own kubelet, on a control plane anybody's.
func leavesServer(c model.Cluster, id model.HostID) bool {
	fixed := func(id model.HostID) bool { h := c.Hosts[id]; return h.Via.Or(model.Way{}).Kind == model.FixedServer }
	if !c.IsCritical(id) {
		return fixed(id)
	}
	return slices.ContainsFunc(c.IDs(), fixed)
}
