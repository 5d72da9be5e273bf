// Package goal turns the cluster file, with what was seen of the hosts, into
// what each host must hold: rendered services, certificates, programs, system
// settings; and that into the goal of a plan, as a model.Cluster. It is pure:
// it reaches no host and decides no order.
package goal

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"quorate.dev/quorate/internal/addon"
	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// HostTraits is what of a host's nature its goal depends on.
type HostTraits struct {
	CgroupV1   bool
	ResolvConf string
	// StreamModule is where nginx's stream module lies; "" for the layout's.
	StreamModule string
	Interface    string // the network interface that has its internal address
	PodCIDR      string // the share of the pod network that it says it has
	NodePodCIDR  string // the share that the API server has given its node
	NodeSince    time.Time
	Address      string // of a host that leaves: where its pods are reached until it is clean
	EtcdCluster  EtcdCluster
	// MayReturnStale says that the host does not answer, is no member of etcd, and may
	// come back with data of a superseded cluster: nobody is led to it.
	MayReturnStale bool
	// Blank says that nothing of a cluster was seen on the host, or only what quorate
	// has put there. Certs are the certificates that were, as PEM, by path: both for
	// what others have made.
	Blank bool
	Certs map[string][]byte
}

// Artifacts are the programs and images of the cluster's versions.
type Artifacts struct {
	Versions artifact.Versions
	Programs []artifact.File
	Images   artifact.File // one OCI layout with all images
	Manifest []byte        // the user's own pod network, if any
	Patches  []spec.Patch  // the user's own, of manifests that kubeadm writes
	// VRRPPassword is what spec.loadBalancer.vip.passwordFile holds.
	VRRPPassword string
	// StaticPods are the components that the kubelet runs, as static pods. Their
	// images, and the program etcd-gate, must be among the above.
	StaticPods map[model.Component]workload.PodStyle
}

// Host is what one host must hold.
type Host struct {
	Node     topology.Node
	Context  component.Context
	Services [model.NumComponents]*workload.Service // nil: not on this host
	Certs    []pki.Cert
	System   System
	Programs map[string]artifact.File // by path of the link on the host
	Images   []string
	// Found says that others have installed what is on it: see found.go.
	Found bool
}

// Goal is what the whole cluster shall be.
type Goal struct {
	File      *spec.Cluster
	Artifacts Artifacts
	Layout    layout.Layout // where everything lies on its hosts
	Hosts     map[model.HostID]*Host
	Base      component.Context // the cluster, for what belongs to no host
	Want      model.Cluster
	Recovery  *Recovery // wanted beside the file; nil: none
	// LeftOut are hosts of the file that nothing is done on, and why: what they
	// claim is another's. The rest goes on.
	LeftOut map[model.HostID]string

	// masters and members are those of the file; Base holds them without the lost.
	masters, members []topology.Node
}

// Build makes the goal. Hosts that were not seen get the nature of a common
// host: what is wrong in it shows once they are seen.
func Build(file *spec.Cluster, arts Artifacts, seen map[model.HostID]HostTraits) (*Goal, error) {
	g := &Goal{File: file, Artifacts: arts, Layout: LayoutOf(file), Hosts: map[model.HostID]*Host{}, Want: model.New(file.Metadata.Name)}
	if err := g.Layout.Validate(); err != nil {
		return nil, fmt.Errorf("where things lie on the hosts: %w", err)
	}
	nodes, disputed, err := assignPodCIDRs(file, seen)
	if err != nil {
		return nil, err
	}
	g.LeftOut = disputed
	base, err := g.context(nodes, seen)
	if err != nil {
		return nil, err
	}
	base.Leaving = leaving(file, nodes, seen)
	for _, n := range nodes {
		h, err := g.host(base, n, seen[model.HostID(n.Name)])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.Name, err)
		}
		g.Hosts[model.HostID(n.Name)] = h
		g.Want.Put(model.HostID(n.Name), g.want(h, base))
	}
	digests, err := addon.Digests(base)
	if err != nil {
		return nil, err
	}
	// What the file can switch off must not be there; of other things nothing is taken away.
	if _, on := digests[addon.AddonMetricsServer]; !on {
		digests[addon.AddonMetricsServer] = ""
	}
	digests[ClusterAddon] = Sum(g.Applied())[:16]
	if g.Want.Adopted = file.Spec.Adopted != nil; g.Want.Adopted && g.Layout.Kubeadm {
		digests[addon.AddonKubeadm] = workload.AsFound
		if file.Spec.LoadBalancer.OnEveryHost() {
			digests[addon.AddonKubeProxy] = workload.AsFound
		}
	}
	for name, d := range digests {
		g.Want.Addons[name] = model.NotInstalled()
		if d != "" {
			g.Want.Addons[name] = model.Valid(d)
		}
	}
	g.Base, g.Want.Published = base, g.published(base)
	g.Want.CAsCreated = model.Is(true)
	return g, nil
}

// LayoutOf is where everything lies on the hosts of a cluster.
func LayoutOf(file *spec.Cluster) layout.Layout {
	at := layout.Systemd()
	if file.Spec.Kubernetes.Flavour == spec.FlavourKubeadm {
		at = layout.Kubeadm()
	}
	if a := file.Spec.Adopted; a != nil {
		at = at.With(a.Paths, a.Ports, a.Units)
		at.PKI.Unencrypted = file.Spec.Encryption.Provider == spec.EncryptionNone
	}
	return at
}

// ClusterAddon is the applied file, kept in the cluster so that any machine
// can go on from it.
const ClusterAddon = "cluster"

// Applied is the file as it is kept in the cluster: without what concerns only
// the machine it was applied from.
func (g *Goal) Applied() []byte {
	text, err := spec.Marshal(spec.Redacted(g.File))
	if err != nil {
		panic("a cluster file that was parsed cannot be written: " + err.Error())
	}
	return text
}

func (g *Goal) context(nodes []topology.Node, seen map[model.HostID]HostTraits) (component.Context, error) {
	v := g.Artifacts.Versions
	lost := func(n topology.Node) bool { return seen[model.HostID(n.Name)].MayReturnStale }
	ctx := component.Context{Cluster: g.File.Metadata.Name, Spec: g.File.Spec, Layout: g.Layout, CNIManifest: g.Artifacts.Manifest,
		Patches: g.Artifacts.Patches, VRRPPassword: g.Artifacts.VRRPPassword}
	for _, n := range nodes {
		if n.ControlPlane || n.Worker {
			ctx.Nodes = append(ctx.Nodes, n)
		}
		if n.ControlPlane {
			g.masters = append(g.masters, n)
		}
		if n.Etcd {
			g.members = append(g.members, n)
		}
		if n.LoadBalancer {
			ctx.LoadBalancers = append(ctx.LoadBalancers, n)
		}
	}
	ctx.Members = g.members
	ctx.APIServers, ctx.EtcdMembers = slices.DeleteFunc(slices.Clone(g.masters), lost), slices.DeleteFunc(slices.Clone(g.members), lost)
	if len(ctx.APIServers) == 0 || len(ctx.EtcdMembers) == 0 {
		ctx.APIServers, ctx.EtcdMembers = g.masters, g.members
	}
	ctx.EtcdCluster = etcdCluster(ctx, seen)
	for _, f := range g.Artifacts.Programs {
		if f.Name == artifact.Balancer {
			ctx.BalancerSum = f.SHA256
		}
	}
	for name, to := range map[string]*string{"pause": &ctx.ImagePause, "coredns": &ctx.ImageCoreDNS, "metrics-server": &ctx.ImageMetricsServer,
		"etcd": &ctx.ImageEtcd, "kube-apiserver": &ctx.ImageAPIServer, "kube-controller-manager": &ctx.ImageControllerManager,
		"kube-scheduler": &ctx.ImageScheduler, "kube-proxy": &ctx.ImageKubeProxy} {
		ref, err := artifact.ImageRef(v, name)
		if err != nil {
			return ctx, err
		}
		*to = ref
	}
	return ctx, nil
}

func (g *Goal) host(base component.Context, n topology.Node, seen HostTraits) (*Host, error) {
	ctx := base
	ctx.Self, ctx.CgroupV1, ctx.ResolvConf, ctx.StreamModule = n, seen.CgroupV1, seen.ResolvConf, seen.StreamModule
	ctx.Interface = seen.Interface
	for v, style := range g.pods() {
		if component.Table[v].On(ctx) {
			ctx.Pods[v] = style
		}
	}
	h := &Host{Node: n, Context: ctx, Found: g.File.IsFound(n.Name) && !seen.Blank}
	var err error
	if h.System, err = system(ctx); err != nil {
		return nil, err
	}
	if h.Found {
		h.System = h.System.found(ctx)
	} else {
		h.Programs, h.Images = g.programs(ctx), g.ImageNames(ctx)
	}
	local := ""
	if g.Layout.Kubeadm {
		local = g.Layout.APIServer.URL(n.Address)
	}
	h.Certs, err = pki.Leaves(n, pki.Context{LocalServer: local,
		Layout: g.Layout.PKI, ControlPlanes: g.masters, Endpoint: base.Endpoint(),
		CertSANs: g.File.Spec.SANs(), ServiceCIDR: g.File.Spec.Network.ServiceCIDR, DNSDomain: g.File.Spec.Network.DNSDomain,
		Algorithm: g.File.Spec.PKI.KeyAlgorithm, Days: g.File.Spec.PKI.CertificateDays})
	if err != nil {
		return nil, err
	}
	if g.File.Spec.Adopted != nil {
		h.Certs = g.certsOf(h, seen)
	}
	for v, t := range component.Table {
		if !t.On(ctx) {
			continue
		}
		if h.leaves(model.Component(v)) {
			h.Services[v] = &workload.Service{Name: g.Layout.Unit(model.Component(v)), Found: true}
			continue
		}
		render, err := component.RendererOf(model.Component(v), ctx)
		if err != nil {
			return nil, err
		}
		svc, err := render(ctx)
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", model.Component(v), err)
		}
		svc.Version = g.Artifacts.Versions.Of(model.Component(v).String())
		h.Services[v] = &svc
	}
	return h, nil
}

// pods are the components that the kubelet runs, as static pods.
func (g *Goal) pods() map[model.Component]workload.PodStyle {
	if !g.Layout.Kubeadm {
		return g.Artifacts.StaticPods
	}
	out := map[model.Component]workload.PodStyle{}
	for _, v := range component.MadeByKubeadm {
		if v != model.Etcd || g.File.Spec.Etcd.Topology == spec.TopologyStacked { // external members are units
			out[v] = workload.MadePod
		}
	}
	return out
}

// Bridged says whether quorate itself makes the pod network.
func (g *Goal) Bridged() bool { return g.File.Spec.Network.CNI == "bridge" }

// ImageNames are the references of the images that a node must hold.
func (g *Goal) ImageNames(ctx component.Context) []string {
	if !ctx.Self.ControlPlane && !ctx.Self.Worker {
		return nil
	}
	out := []string{ctx.ImagePause, ctx.ImageCoreDNS}
	if g.File.Spec.Addons.MetricsServer {
		out = append(out, ctx.ImageMetricsServer)
	}
	for v, image := range map[model.Component]string{model.Etcd: ctx.ImageEtcd, model.APIServer: ctx.ImageAPIServer,
		model.ControllerManager: ctx.ImageControllerManager, model.Scheduler: ctx.ImageScheduler} {
		if ctx.Pods[v] != workload.NoPod {
			out = append(out, image)
		}
	}
	if g.Layout.Kubeadm {
		out = append(out, ctx.ImageKubeProxy)
	}
	slices.Sort(out)
	return out
}

// Paths are all files that the services of a host may have, by service: what
// an observation must look at.
func (g *Goal) Paths(id model.HostID) map[model.Component][]string {
	out := map[model.Component][]string{}
	h, ok := g.Hosts[id]
	if !ok {
		return out
	}
	for v, s := range h.Services {
		if s == nil {
			continue
		}
		for _, f := range s.Rendered() {
			out[model.Component(v)] = append(out[model.Component(v)], f.Path)
		}
		for _, c := range s.Copies {
			out[model.Component(v)] = append(out[model.Component(v)], c.From, c.To)
		}
	}
	return out
}

// IDs are the hosts of the goal, sorted.
func (g *Goal) IDs() []model.HostID { return slices.Sorted(maps.Keys(g.Hosts)) }
