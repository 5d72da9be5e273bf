// Package kubeadm writes kubeadm's configuration, API version v1beta4, as typed
// objects (https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/).
// It holds the fields that quorate sets. It runs nothing and knows no host: what
// is in the objects comes from package component.
package kubeadm

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// APIVersion of the objects.
const APIVersion = "kubeadm.k8s.io/v1beta4"

// InitConfiguration is what of the configuration belongs to one control plane.
type InitConfiguration struct {
	metav1.TypeMeta  `json:",inline"`
	BootstrapTokens  []BootstrapToken `json:"bootstrapTokens,omitempty"`
	LocalAPIEndpoint APIEndpoint      `json:"localAPIEndpoint"`
	NodeRegistration NodeRegistration `json:"nodeRegistration"`
	Patches          *Patches         `json:"patches,omitempty"`
}

// Patches are in a folder of the host, by kubeadm's rules for their names.
type Patches struct {
	Directory string `json:"directory"`
}

// BootstrapToken is a token for joins. Without a value kubeadm draws one.
type BootstrapToken struct {
	TTL         string `json:"ttl"`
	Description string `json:"description,omitempty"`
}

// APIEndpoint is where an API server listens.
type APIEndpoint struct {
	AdvertiseAddress string `json:"advertiseAddress"`
	BindPort         int32  `json:"bindPort"`
}

// NodeRegistration is how a node presents itself. Taints that are not nil are
// all that it gets.
type NodeRegistration struct {
	Name                  string         `json:"name"`
	CRISocket             string         `json:"criSocket"`
	Taints                []corev1.Taint `json:"taints"`
	KubeletExtraArgs      []Arg          `json:"kubeletExtraArgs,omitempty"`
	IgnorePreflightErrors []string       `json:"ignorePreflightErrors,omitempty"`
}

// ClusterConfiguration is what all control planes share. kubeadm keeps it in the
// ConfigMap kube-system/kubeadm-config.
type ClusterConfiguration struct {
	metav1.TypeMeta             `json:",inline"`
	ClusterName                 string     `json:"clusterName"`
	KubernetesVersion           string     `json:"kubernetesVersion"`
	ControlPlaneEndpoint        string     `json:"controlPlaneEndpoint,omitempty"`
	CertificatesDir             string     `json:"certificatesDir"`
	EncryptionAlgorithm         string     `json:"encryptionAlgorithm"`
	CertificateValidityPeriod   string     `json:"certificateValidityPeriod"`
	CACertificateValidityPeriod string     `json:"caCertificateValidityPeriod"`
	Networking                  Networking `json:"networking"`
	Etcd                        Etcd       `json:"etcd"`
	APIServer                   APIServer  `json:"apiServer"`
	ControllerManager           Component  `json:"controllerManager"`
	Scheduler                   Component  `json:"scheduler"`
	DNS                         ImageMeta  `json:"dns"`
}

// Networking are the cluster's ranges and its domain.
type Networking struct {
	PodSubnet     string `json:"podSubnet"`
	ServiceSubnet string `json:"serviceSubnet"`
	DNSDomain     string `json:"dnsDomain"`
}

// Etcd is where etcd runs: on the control planes, or on hosts of its own.
type Etcd struct {
	Local    *LocalEtcd    `json:"local,omitempty"`
	External *ExternalEtcd `json:"external,omitempty"`
}

// ExternalEtcd are members that kubeadm does not run, and how an API server shows
// itself to them.
type ExternalEtcd struct {
	Endpoints []string `json:"endpoints"`
	CAFile    string   `json:"caFile"`
	CertFile  string   `json:"certFile"`
	KeyFile   string   `json:"keyFile"`
}

// LocalEtcd is the member of a control plane.
type LocalEtcd struct {
	ImageMeta `json:",inline"`
	DataDir   string `json:"dataDir"`
	ExtraArgs []Arg  `json:"extraArgs,omitempty"`
	ExtraEnvs []Env  `json:"extraEnvs,omitempty"`
}

// ImageMeta names the version of an image; "" is kubeadm's own choice.
type ImageMeta struct {
	ImageTag string `json:"imageTag,omitempty"`
}

// APIServer is the kube-apiserver of all control planes.
type APIServer struct {
	Component `json:",inline"`
	CertSANs  []string `json:"certSANs,omitempty"`
}

// Component is a part of the control plane, as far as kubeadm does not decide it.
type Component struct {
	ExtraArgs    []Arg           `json:"extraArgs,omitempty"`
	ExtraVolumes []HostPathMount `json:"extraVolumes,omitempty"`
	ExtraEnvs    []Env           `json:"extraEnvs,omitempty"`
}

// Env is an environment variable.
type Env struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// Arg is a flag without dashes, and its value.
type Arg struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// HostPathMount shows a path of the host to a component.
type HostPathMount struct {
	Name      string              `json:"name"`
	HostPath  string              `json:"hostPath"`
	MountPath string              `json:"mountPath"`
	ReadOnly  bool                `json:"readOnly,omitempty"`
	PathType  corev1.HostPathType `json:"pathType,omitempty"`
}
