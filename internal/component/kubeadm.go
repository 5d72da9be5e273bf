package component

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/kubeadm"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
)

// MadeByKubeadm are the components whose manifest kubeadm writes.
var MadeByKubeadm = []model.Component{model.Etcd, model.APIServer, model.ControllerManager, model.Scheduler}

// The flags that quorate adds to kubeadm's own, of every control plane alike.
// They are in kubeadm's configuration, so that a join by hand has them too.
func (c Context) kubeadmExtra(v model.Component) map[string]string {
	at := c.Layout
	switch v {
	case model.Etcd:
		return map[string]string{"initial-cluster-token": c.Cluster}
	case model.APIServer:
		return map[string]string{
			"audit-log-maxage": "30", "audit-log-maxbackup": "10", "audit-log-maxsize": "100", "audit-log-mode": "batch",
			"audit-log-path": at.APIServer.AuditLog, "audit-log-truncate-enabled": "true", "audit-policy-file": at.APIServer.AuditPolicy,
			"encryption-provider-config":                  at.PKI.Encryption,
			"encryption-provider-config-automatic-reload": "true",
			// See apiServerFlags.
			"goaway-chance": "0.001", "shutdown-delay-duration": "3s", "shutdown-watch-termination-grace-period": "5s",
			"service-node-port-range": c.Spec.Network.NodePortRange,
		}
	case model.ControllerManager:
		flags := map[string]string{"cluster-signing-duration": signingDuration(c)}
		if c.bridged() { // quorate gives the nodes their networks
			flags["allocate-node-cidrs"] = "false"
		} else {
			flags["node-cidr-mask-size"] = strconv.Itoa(c.Spec.Network.NodeCIDRMaskSize)
		}
		return flags
	case model.Scheduler:
		if c.schedulerConfigured() {
			return map[string]string{"config": at.Scheduler.Config}
		}
	}
	return nil
}

// schedulerConfigured says that the user has settings for the scheduler that no
// flag holds.
func (c Context) schedulerConfigured() bool { return len(c.Spec.KubeSchedulerConfiguration) > 0 }

// kubeadmCluster is kubeadm's ClusterConfiguration.
func kubeadmCluster(ctx Context) kubeadm.ClusterConfiguration {
	at, file := ctx.Layout, ctx.Spec
	args := func(v model.Component) []kubeadm.Arg { return kubeadm.Args(ctx.kubeadmExtra(v), ctx.extra(v.String())) }
	logs := path.Dir(at.APIServer.AuditLog)
	sans := []string{"localhost", "127.0.0.1"}
	if file.ControlPlaneEndpoint != "" {
		sans = append(sans, hostPart(file.ControlPlaneEndpoint))
	}
	for _, n := range topology.ByName(ctx.APIServers) {
		sans = append(sans, n.Name, n.Address)
	}
	return kubeadm.Cluster(kubeadm.ClusterConfiguration{
		ClusterName:                 ctx.Cluster,
		KubernetesVersion:           file.Kubernetes.Version,
		ControlPlaneEndpoint:        file.ControlPlaneEndpoint,
		CertificatesDir:             at.PKI.Dir,
		EncryptionAlgorithm:         file.PKI.KeyAlgorithm,
		CertificateValidityPeriod:   hours(file.PKI.CertificateDays),
		CACertificateValidityPeriod: hours(file.PKI.CADays),
		Networking: kubeadm.Networking{PodSubnet: file.Network.PodCIDR, ServiceSubnet: file.Network.ServiceCIDR,
			DNSDomain: file.Network.DNSDomain},
		Etcd: kubeadmEtcd(ctx, args(model.Etcd)),
		APIServer: kubeadm.APIServer{CertSANs: append(sans, file.SANs()...), Component: kubeadm.Component{ExtraArgs: args(model.APIServer),
			ExtraEnvs: ctx.kubeadmEnvs(model.APIServer),
			ExtraVolumes: append([]kubeadm.HostPathMount{
				{Name: "audit-policy", HostPath: at.APIServer.AuditPolicy, MountPath: at.APIServer.AuditPolicy, ReadOnly: true,
					PathType: corev1.HostPathFile},
				{Name: "audit-log", HostPath: logs, MountPath: logs, PathType: corev1.HostPathDirectoryOrCreate},
			}, ctx.kubeadmVolumes(model.APIServer)...)}},
		ControllerManager: kubeadm.Component{ExtraArgs: args(model.ControllerManager), ExtraEnvs: ctx.kubeadmEnvs(model.ControllerManager),
			ExtraVolumes: ctx.kubeadmVolumes(model.ControllerManager)},
		Scheduler: kubeadm.Component{ExtraArgs: args(model.Scheduler), ExtraEnvs: ctx.kubeadmEnvs(model.Scheduler),
			ExtraVolumes: ctx.kubeadmVolumes(model.Scheduler)},
		DNS: kubeadm.ImageMeta{ImageTag: tagOf(ctx.ImageCoreDNS)},
	})
}

// kubeadmEtcd is where etcd runs: with external etcd kubeadm runs no member.
func kubeadmEtcd(ctx Context, args []kubeadm.Arg) kubeadm.Etcd {
	at := ctx.Layout
	if !ctx.externalEtcd() {
		return kubeadm.Etcd{Local: &kubeadm.LocalEtcd{ImageMeta: kubeadm.ImageMeta{ImageTag: tagOf(ctx.ImageEtcd)}, DataDir: at.Etcd.Data,
			ExtraArgs: args, ExtraEnvs: ctx.kubeadmEnvs(model.Etcd)}}
	}
	client := at.PKI.Leaf(pki.APIServerEtcdClient)
	return kubeadm.Etcd{External: &kubeadm.ExternalEtcd{Endpoints: etcdEndpoints(ctx), CAFile: at.PKI.EtcdCA.Cert, CertFile: client.Cert,
		KeyFile: client.Key}}
}

// externalEtcd says that etcd runs on hosts of its own.
func (c Context) externalEtcd() bool { return c.Spec.Etcd.Topology == spec.TopologyExternal }

// etcdEndpoints are the members in an order that is the same on all hosts.
func etcdEndpoints(ctx Context) (out []string) {
	for _, n := range topology.ByName(ctx.EtcdMembers) {
		out = append(out, ctx.Layout.Etcd.ClientURL(n.Address))
	}
	return out
}

func hours(days int) string { return fmt.Sprintf("%dh0m0s", days*24) }

func hostPart(endpoint string) string { return endpoint[:strings.LastIndex(endpoint, ":")] }

func tagOf(image string) string {
	_, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	return tag
}

// KubeadmShared is what kubeadm keeps in the cluster: its configuration, and
// those of kubelets and kube-proxies, as far as they are of no host.
func KubeadmShared(ctx Context) ([]byte, error) {
	ctx.Self, ctx.CgroupV1, ctx.ResolvConf = topology.Node{}, false, ""
	kubelet, err := kubeletDocument(ctx)
	if err != nil {
		return nil, err
	}
	proxy, err := proxyDocument(ctx)
	if err != nil {
		return nil, err
	}
	return kubeadm.Write(kubeadmCluster(ctx), kubelet, proxy)
}

// KubeadmProxy is all that kubeadm's kube-proxy is made of.
func KubeadmProxy(ctx Context) ([]byte, error) {
	ctx.Self = topology.Node{}
	text, err := proxyDocument(ctx)
	return fmt.Appendf(text, "# %s through %s\n", ctx.ImageKubeProxy, ctx.Endpoint()), err
}

// KubeadmConfig is the file for a phase of kubeadm's on the host ctx.Self.
// members are those with which an etcd without data begins, in this state. own is
// the configuration that an adopted cluster has; nil in others. With patches in
// ctx, their folder on the host must be there.
func KubeadmConfig(ctx Context, own []byte, state etcd.State, members []topology.Node) ([]byte, error) {
	var urls []string
	for _, m := range members {
		urls = append(urls, m.Name+"="+ctx.Layout.Etcd.PeerURL(m.Address))
	}
	slices.Sort(urls)
	if own != nil {
		return kubeadmOfOthers(ctx, own, state, urls)
	}
	cluster := kubeadmCluster(ctx)
	if len(members) > 0 {
		cluster.Etcd.Local.ExtraArgs = kubeadm.Args(ctx.kubeadmExtra(model.Etcd), ctx.extra(model.Etcd.String()),
			map[string]string{"initial-cluster": strings.Join(urls, ","), "initial-cluster-state": string(state)})
	}
	init, err := kubeadmInit(ctx)
	if err != nil {
		return nil, err
	}
	kubelet, err := kubeletDocument(ctx)
	if err != nil {
		return nil, err
	}
	proxy, err := proxyDocument(ctx)
	if err != nil {
		return nil, err
	}
	return kubeadm.Write(init, cluster, kubelet, proxy)
}

// kubeadmOfOthers is the same with the configuration that others have made.
func kubeadmOfOthers(ctx Context, own []byte, state etcd.State, urls []string) ([]byte, error) {
	doc, err := kubeadm.Parse(own)
	if err != nil {
		return nil, err
	}
	if len(urls) > 0 {
		doc.SetEtcdArg("initial-cluster", strings.Join(urls, ","))
		doc.SetEtcdArg("initial-cluster-state", string(state))
	}
	text, err := doc.Text()
	if err != nil {
		return nil, err
	}
	init, err := kubeadmInit(ctx)
	if err != nil {
		return nil, err
	}
	return kubeadm.Write(init, text)
}

// kubeadmInit is what of the configuration is the host's own.
func kubeadmInit(ctx Context) (kubeadm.InitConfiguration, error) {
	port, err := strconv.ParseInt(ctx.Layout.APIServer.Port, 10, 32)
	if err != nil {
		return kubeadm.InitConfiguration{}, fmt.Errorf("port of the API server: %w", err)
	}
	taints := []corev1.Taint{}
	if ctx.tainted() {
		taints = append(taints, controlPlaneTaint)
	}
	var patches *kubeadm.Patches
	if len(ctx.Patches) > 0 {
		patches = &kubeadm.Patches{Directory: ctx.Layout.Kubelet.Patches}
	}
	return kubeadm.Init(kubeadm.InitConfiguration{
		Patches: patches,
		// What the phase makes needs a token; nobody is told this one.
		BootstrapTokens:  []kubeadm.BootstrapToken{{TTL: "1m0s", Description: "made by kubeadm for quorate, used by nobody"}},
		LocalAPIEndpoint: kubeadm.APIEndpoint{AdvertiseAddress: ctx.Self.Address, BindPort: int32(port)},
		NodeRegistration: kubeadm.NodeRegistration{Name: ctx.Self.Name, CRISocket: "unix://" + ctx.Layout.Containerd.Socket, Taints: taints},
	}), nil
}

var controlPlaneTaint = corev1.Taint{Key: kubeapi.ControlPlaneLabel, Effect: corev1.TaintEffectNoSchedule}

// tainted says that only what tolerates it runs on the host.
func (c Context) tainted() bool { return c.Self.ControlPlane && !c.Self.Worker }
