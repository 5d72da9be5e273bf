// Package spec is the user's cluster file: its types, strict parsing,
// defaults, validation and JSON Schema. It plans nothing and reaches no host.
package spec

// Cluster is the whole file.
type Cluster struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`
}

// Metadata names the cluster.
type Metadata struct {
	Name string `json:"name"`
}

// Spec is what the cluster shall be.
type Spec struct {
	Kubernetes             Kubernetes           `json:"kubernetes"`
	ControlPlaneEndpoint   string               `json:"controlPlaneEndpoint"`
	LoadBalancer           LoadBalancer         `json:"loadBalancer,omitempty"`
	CertSANs               []string             `json:"certSANs,omitempty"`
	PKI                    PKI                  `json:"pki,omitempty"`
	Etcd                   Etcd                 `json:"etcd,omitempty"`
	Network                Network              `json:"network,omitempty"`
	Encryption             Encryption           `json:"encryption,omitempty"`
	Addons                 Addons               `json:"addons,omitempty"`
	Components             map[string]Component `json:"components,omitempty"`
	KubeletConfiguration   map[string]any       `json:"kubeletConfiguration,omitempty"`
	KubeProxyConfiguration map[string]any       `json:"kubeProxyConfiguration,omitempty"`
	Artifacts              Artifacts            `json:"artifacts,omitempty"`
	SSH                    SSH                  `json:"ssh,omitempty"`
	Hosts                  []Host               `json:"hosts"`
}

// Kubernetes says which version, and how its components run.
type Kubernetes struct {
	Version string `json:"version"`           // v1.36.3
	Flavour string `json:"flavour,omitempty"` // systemd | kubeadm
}

// LoadBalancer is what stands in front of the API servers.
type LoadBalancer struct {
	Kind string `json:"kind,omitempty"` // nginx | haproxy | builtin | external | none
}

// PKI says how keys are made.
type PKI struct {
	KeyAlgorithm    string `json:"keyAlgorithm,omitempty"`    // ECDSA-P256 | RSA-2048 | RSA-3072 | RSA-4096
	CertificateDays int    `json:"certificateDays,omitempty"` // leaf validity, default 365
	CADays          int    `json:"caDays,omitempty"`          // CA validity, default 3650
}

// Etcd is where etcd runs: stacked on the control planes, or external on
// hosts with the role etcd.
type Etcd struct {
	Topology string `json:"topology,omitempty"`
}

// Network is the cluster's addressing and how pods reach each other.
type Network struct {
	PodCIDR          string `json:"podCIDR,omitempty"`
	ServiceCIDR      string `json:"serviceCIDR,omitempty"`
	NodeCIDRMaskSize int    `json:"nodeCIDRMaskSize,omitempty"` // default 24
	CNI              string `json:"cni,omitempty"`              // bridge | none | path of a manifest
	ProxyMode        string `json:"proxyMode,omitempty"`        // nftables | iptables | ipvs
	DNSDomain        string `json:"dnsDomain,omitempty"`        // cluster.local
	NodePortRange    string `json:"nodePortRange,omitempty"`
}

// Encryption of secrets at rest.
type Encryption struct {
	Provider string `json:"provider,omitempty"` // secretbox | aescbc
}

// Addons on request.
type Addons struct {
	MetricsServer bool `json:"metricsServer,omitempty"`
}

// Component holds extra command-line flags for one component, by flag name
// without dashes. Keys of spec.components: etcd, kube-apiserver,
// kube-controller-manager, kube-scheduler, kubelet, kube-proxy.
type Component struct {
	ExtraArgs map[string]string `json:"extraArgs,omitempty"`
}

// Artifacts says where binaries and images come from.
type Artifacts struct {
	Source   string            `json:"source,omitempty"` // modules | upstream
	BaseURLs map[string]string `json:"baseURLs,omitempty"`
	Versions map[string]string `json:"versions,omitempty"` // override of single components: etcd, containerd, …
}

// SSH is how a host is reached; a host may override each field.
type SSH struct {
	User             string `json:"user,omitempty"` // default root
	Port             int    `json:"port,omitempty"` // default 22
	KeyFile          string `json:"keyFile,omitempty"`
	PasswordFile     string `json:"passwordFile,omitempty"`
	KnownHostsFile   string `json:"knownHostsFile,omitempty"`
	Jump             string `json:"jump,omitempty"` // user@host:port
	SudoPasswordFile string `json:"sudoPasswordFile,omitempty"`
}

// Host is one machine. Address is for SSH; InternalAddress (default: the same)
// for the cluster.
type Host struct {
	Name            string   `json:"name"`
	Address         string   `json:"address"`
	InternalAddress string   `json:"internalAddress,omitempty"`
	Roles           []string `json:"roles"` // control-plane, worker, etcd
	SSH             *SSH     `json:"ssh,omitempty"`
}
