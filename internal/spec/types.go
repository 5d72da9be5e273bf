// Package spec is the user's cluster file: its types, strict parsing,
// defaults, validation and JSON Schema. It plans nothing and reaches no host.
package spec

// The file's types carry all that is known about a key, once: the comment is
// its description in the JSON Schema, `default` what an absent key means,
// `enum` the closed set of its values (or, with `keys`, of a map's keys), and
// `built` the part of that set which this version of quorate can do.

// Cluster is the whole file.
type Cluster struct {
	APIVersion string   `json:"apiVersion" enum:"quorate.dev/v1alpha1"` // the file's format
	Kind       string   `json:"kind" enum:"Cluster"`
	Metadata   Metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`
}

// Metadata names the cluster.
type Metadata struct {
	// Lower-case letters, digits and dashes, 63 at most. Cannot be changed later.
	Name string `json:"name"`
}

// Spec is what the cluster shall be.
type Spec struct {
	Kubernetes Kubernetes `json:"kubernetes"`
	// name:port under which every client reaches the API servers. A name: what
	// stands behind it can change without new certificates. Absent with
	// loadBalancer none: everybody uses the only control plane itself.
	ControlPlaneEndpoint string       `json:"controlPlaneEndpoint,omitempty"`
	LoadBalancer         LoadBalancer `json:"loadBalancer,omitempty"`
	// More DNS names and addresses for the API servers' certificates.
	CertSANs   []string   `json:"certSANs,omitempty"`
	PKI        PKI        `json:"pki,omitempty"`
	Etcd       Etcd       `json:"etcd,omitempty"`
	Network    Network    `json:"network,omitempty"`
	Encryption Encryption `json:"encryption,omitempty"`
	// What pods may do where their namespace does not say (Pod Security Standards).
	// baseline and restricted also narrow TLS to ciphers of the CIS benchmark and forbid Services with external IPs.
	Security string `json:"security,omitempty" enum:"privileged,baseline,restricted" default:"privileged"`
	Addons   Addons `json:"addons,omitempty"`
	// Extra command-line flags, environment and volumes, by component.
	Components map[string]Component `json:"components,omitempty" keys:"etcd,kube-apiserver,kube-controller-manager,kube-scheduler,kubelet,kube-proxy"`
	// A folder of patches for the static pods of flavour kubeadm, named as kubeadm wants it:
	// target[suffix][+strategic|+merge|+json].yaml, such as kube-apiserver0+merge.yaml.
	PatchesFolder string `json:"patchesFolder,omitempty"`
	// Fields of KubeletConfiguration (kubelet.config.k8s.io/v1beta1), for every kubelet.
	KubeletConfiguration map[string]any `json:"kubeletConfiguration,omitempty"`
	// Fields of KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1), for every scheduler.
	KubeSchedulerConfiguration map[string]any `json:"kubeSchedulerConfiguration,omitempty"`
	// Fields of KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1), for every kube-proxy.
	KubeProxyConfiguration map[string]any `json:"kubeProxyConfiguration,omitempty"`
	Artifacts              Artifacts      `json:"artifacts,omitempty"`
	// What of the cluster others have made, and stays as it was found. quorate adopt writes it.
	Adopted *Adopted `json:"adopted,omitempty"`
	// How every host is reached; a host may override each field.
	SSH   SSH    `json:"ssh,omitempty"`
	Hosts []Host `json:"hosts"`
}

// Adopted is what of a cluster others have made. What the file does not say of it
// stays as it was found.
type Adopted struct {
	// Who set the cluster up. kubeadm: static pods by kubeadm; units: systemd units written by hand.
	From string `json:"from" enum:"kubeadm,units" built:"kubeadm"`
	// Hosts with components that others have installed. A host of the file that is not among them joins as a new one.
	Hosts []string `json:"hosts"`
	// Where things lie, other than kubeadm has them: the folder of certificates, etcd's data, static pods' manifests.
	Paths map[string]string `json:"paths,omitempty" keys:"pki,etcdData,manifests"`
	// TCP ports other than the usual ones.
	Ports map[string]string `json:"ports,omitempty" keys:"apiServer,etcdClient,etcdPeer,etcdMetrics"`
	// Names of systemd units without .service, by component, other than the usual ones.
	Units map[string]string `json:"units,omitempty" keys:"containerd,kubelet"`
}

// Kubernetes says which version, and how its components run.
type Kubernetes struct {
	Version string `json:"version"` // such as v1.36.3
	// systemd: unit files; kubeadm: static pods.
	Flavour string `json:"flavour,omitempty" enum:"systemd,kubeadm" default:"systemd"`
}

// LoadBalancer is what stands in front of the API servers.
type LoadBalancer struct {
	// builtin (quorate's own quorate-lb, which checks the API servers and etcd) or
	// nginx: one on every host, the endpoint's name resolving to 127.0.0.1 there.
	// none: one control plane, without a balancer and without an endpoint.
	// external: somebody else's, which quorate neither installs nor changes.
	Kind string `json:"kind,omitempty" enum:"builtin,nginx,haproxy,external,none" default:"builtin"`
	// The address that load balancers share; one of them holds it. haproxy: all nodes use it. builtin: it is for
	// clients outside the cluster, and without hosts with the role load-balancer the control planes share it.
	VIP *VIP `json:"vip,omitempty"`
	// Options of the kind haproxy.
	HAProxy *HAProxy `json:"haproxy,omitempty"`
}

// VIP is a virtual address that load balancers share, by VRRP.
type VIP struct {
	// With the length of its network's prefix, such as 10.0.0.100/24. No host's own.
	Address string `json:"address"`
	// The network interface that gets it; by default the one with the host's internalAddress.
	Interface string `json:"interface,omitempty"`
	// The virtual router's number, 1 to 255. No other VRRP in the same network may have it.
	VRID int `json:"vrid,omitempty" default:"51"`
	// File with a password of 1 to 8 letters and digits. It means VRRP version 2, which sends it in clear text;
	// without it version 3 is spoken, which has none.
	PasswordFile string `json:"passwordFile,omitempty"`
	// How often the holder says that it is there: 1000 by default, with quorate-lb 100. The address moves
	// after three silent intervals. With a password whole seconds.
	AdvertMilliseconds int `json:"advertMilliseconds,omitempty"`
	// Take the address back when the first of the balancers returns. By default it stays where it is.
	Preempt bool `json:"preempt,omitempty"`
	// Speak by multicast (224.0.0.18) instead of to each other's addresses.
	Multicast bool `json:"multicast,omitempty"`
}

// HAProxy are options of the load balancer HAProxy.
type HAProxy struct {
	// Which API server gets a new connection.
	Balance string `json:"balance,omitempty" enum:"leastconn,roundrobin,static-rr,source,first,random" default:"leastconn"`
	// Connections that one balancer takes at a time.
	MaxConnections int `json:"maxConnections,omitempty" default:"20000"`
	// Connections that one API server gets at a time; more wait. By default there is no limit.
	ServerMaxConnections int `json:"serverMaxConnections,omitempty"`
	// Connections that may wait for one API server; more go to another. By default there is no limit.
	ServerMaxQueue int `json:"serverMaxQueue,omitempty"`
	// An API server that is back gets its share of new connections only after this time (with leastconn, roundrobin and random).
	SlowStartSeconds int `json:"slowStartSeconds,omitempty" default:"10"`
	// How often each API server is asked for /readyz; one that fails twice gets no connections.
	CheckMilliseconds int `json:"checkMilliseconds,omitempty" default:"1000"`
	// How long a connection to an API server may take to open.
	ConnectSeconds int `json:"connectSeconds,omitempty" default:"2"`
	// How long a connection may wait where serverMaxConnections is reached.
	QueueSeconds int `json:"queueSeconds,omitempty" default:"10"`
	// A connection without data for this time is closed. Watches may be silent for longer than 10 minutes.
	IdleMinutes int `json:"idleMinutes,omitempty" default:"60"`
	// Port of the statistics page, which asks for the login that the host generated.
	StatsPort int `json:"statsPort,omitempty" default:"8404"`
	// Let the statistics page take API servers out of rotation.
	StatsAdmin bool `json:"statsAdmin,omitempty"`
}

// SecurityPrivileged is the level of spec.security that forbids nothing.
const SecurityPrivileged = "privileged"

// Hardened says that spec.security is more than Kubernetes' own defaults.
func (s Spec) Hardened() bool { return s.Security != "" && s.Security != SecurityPrivileged }

// FlavourKubeadm is the flavour whose control plane kubeadm writes.
const FlavourKubeadm = "kubeadm"

// The kinds of load balancers that other packages ask for.
const (
	NginxBalancer    = "nginx"    // on every host
	BuiltinBalancer  = "builtin"  // quorate's own
	HAProxyBalancer  = "haproxy"  // HAProxy and Keepalived on hosts of their own
	ExternalBalancer = "external" // somebody else's
	NoBalancer       = "none"     // the only control plane is what everybody uses
)

// SharesAddress says that several hosts may share a virtual address.
func (l LoadBalancer) SharesAddress() bool {
	return l.Kind == HAProxyBalancer || l.Kind == BuiltinBalancer && l.VIP != nil
}

// OnEveryHost says that each host has a load balancer of its own.
func (l LoadBalancer) OnEveryHost() bool { return l.Kind == NginxBalancer || l.Kind == BuiltinBalancer }

// PKI says how keys are made.
type PKI struct {
	KeyAlgorithm    string `json:"keyAlgorithm,omitempty" enum:"ECDSA-P256,RSA-2048,RSA-3072,RSA-4096" default:"ECDSA-P256"`
	CertificateDays int    `json:"certificateDays,omitempty" default:"365"` // validity of leaf certificates
	CADays          int    `json:"caDays,omitempty" default:"3650"`         // validity of certificate authorities
}

// Etcd is where etcd runs.
type Etcd struct {
	// stacked: on the control planes; external: on the hosts with the role etcd.
	Topology string `json:"topology,omitempty" enum:"stacked,external" default:"stacked"`
}

// Network is the cluster's addressing and how pods reach each other.
type Network struct {
	PodCIDR          string `json:"podCIDR,omitempty" default:"10.244.0.0/16"`
	ServiceCIDR      string `json:"serviceCIDR,omitempty" default:"10.96.0.0/12"`
	NodeCIDRMaskSize int    `json:"nodeCIDRMaskSize,omitempty" default:"24"` // each host's share of podCIDR
	// bridge: a bridge per host and routes between them; none: yours, later; or the path of a manifest.
	CNI           string `json:"cni,omitempty" default:"bridge"`
	ProxyMode     string `json:"proxyMode,omitempty" enum:"nftables,iptables,ipvs" default:"nftables"`
	DNSDomain     string `json:"dnsDomain,omitempty" default:"cluster.local"`
	NodePortRange string `json:"nodePortRange,omitempty" default:"30000-32767"`
}

// Encryption of secrets at rest.
type Encryption struct {
	// none: they are not encrypted, in an adopted cluster.
	Provider string `json:"provider,omitempty" enum:"secretbox,aescbc,none" default:"secretbox"`
}

// Addons on request.
type Addons struct {
	MetricsServer bool `json:"metricsServer,omitempty"`
	// The cluster's DNS is yours: quorate deploys no CoreDNS, and leaves one that is there. Kubelets
	// send pods to the tenth address of serviceCIDR.
	OwnDNS bool `json:"ownDNS,omitempty"`
}

// Component is what one component gets beside what quorate gives it.
type Component struct {
	// By flag name without dashes. A flag that is given several times has a list of values.
	ExtraArgs map[string]Values `json:"extraArgs,omitempty"`
	// More environment of its process.
	ExtraEnvs []Env `json:"extraEnvs,omitempty"`
	// Files and folders of the host that its static pod sees; flavour kubeadm only.
	ExtraVolumes []Volume `json:"extraVolumes,omitempty"`
}

// Values is one string, or a list of them.
type Values []string

// Env is an environment variable.
type Env struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// Volume shows a path of the host to a static pod.
type Volume struct {
	Name      string `json:"name"`      // of the volume in the pod
	HostPath  string `json:"hostPath"`  // must be there on every control plane, unless pathType says that it is made
	MountPath string `json:"mountPath"` // where the component finds it
	ReadOnly  bool   `json:"readOnly,omitempty"`
	PathType  string `json:"pathType,omitempty" enum:"File,Directory,FileOrCreate,DirectoryOrCreate,Socket,CharDevice,BlockDevice"`
}

// Artifacts says where binaries and images come from.
type Artifacts struct {
	// auto: what the store has, else a bundle beside this file, else upstream if it can be reached, else modules;
	// modules: built here from Go modules; upstream: the projects' downloads.
	Source string `json:"source,omitempty" enum:"auto,modules,upstream" default:"auto"`
	// Mirrors, by the host they stand for. Without user, password and query: the file is copied into the cluster.
	BaseURLs map[string]string `json:"baseURLs,omitempty" keys:"dl.k8s.io,github.com,registry.k8s.io"`
	// Other versions of single components.
	Versions map[string]string `json:"versions,omitempty" keys:"etcd,containerd,runc,cni,coredns,crictl,pause,metrics-server"`
	// SHA-256 in hex of what is downloaded, by its address at the project without https://, such as
	// dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet; of an image's manifest by its name, such as registry.k8s.io/pause:3.10.2.
	Checksums map[string]string `json:"checksums,omitempty"`
}

// SSH is how a host is reached; a host may override each field. Paths are
// relative to the cluster file's folder; ~ is the home folder.
type SSH struct {
	User             string `json:"user,omitempty" default:"root"`
	Port             int    `json:"port,omitempty" default:"22"`
	KeyFile          string `json:"keyFile,omitempty"`      // private key; by default the agent's, then ~/.ssh/id_*
	PasswordFile     string `json:"passwordFile,omitempty"` // file that holds the password
	KnownHostsFile   string `json:"knownHostsFile,omitempty" default:"~/.ssh/known_hosts"`
	Jump             string `json:"jump,omitempty"`             // [user@]host[:port] to go through
	JumpPasswordFile string `json:"jumpPasswordFile,omitempty"` // file that holds the password of the jump host, which is offered no other; by default keys only
	SudoPasswordFile string `json:"sudoPasswordFile,omitempty"` // file that holds the password for sudo
}

// Host is one machine.
type Host struct {
	// The node's name: lower-case letters, digits, dashes and dots.
	Name string `json:"name"`
	// Where SSH finds it.
	Address string `json:"address"`
	// What the cluster's members call it; by default the address.
	InternalAddress string `json:"internalAddress,omitempty"`
	// A control-plane may be a worker as well. A load-balancer runs what stands in front of the API servers, and nothing else.
	Roles []string `json:"roles" enum:"control-plane,worker,etcd,load-balancer"`
	// Labels of the node, beside those that the kubelet sets.
	Labels map[string]string `json:"labels,omitempty"`
	// Taints of the node, beside that of a control plane which is no worker.
	Taints []Taint `json:"taints,omitempty"`
	// What its kubelet gets beside what all get.
	Kubelet *HostKubelet `json:"kubelet,omitempty"`
	// Overrides spec.ssh, field by field.
	SSH *SSH `json:"ssh,omitempty"`
}

// HostKubelet is what the kubelet of one host gets.
type HostKubelet struct {
	// Flags, in the place of those of spec.components.kubelet with the same name.
	ExtraArgs map[string]Values `json:"extraArgs,omitempty"`
	// The resolv.conf from which pods get their DNS servers; by default the host's, or that of systemd-resolved where it runs.
	ResolvConf string `json:"resolvConf,omitempty"`
}

// Taint keeps pods that do not tolerate it away from a node.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect" enum:"NoSchedule,PreferNoSchedule,NoExecute"`
}

// Names that other packages compare with.
const (
	APIVersion = "quorate.dev/v1alpha1"
	Kind       = "Cluster"

	RoleControlPlane = "control-plane"
	RoleWorker       = "worker"
	RoleEtcd         = "etcd"
	RoleLoadBalancer = "load-balancer"

	TopologyStacked  = "stacked"
	TopologyExternal = "external"

	CNIBridge = "bridge"
	CNINone   = "none"
)
