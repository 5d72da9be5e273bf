package kubeadm

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/yaml"
)

// Found is what a cluster's own ClusterConfiguration says, of API version v1beta3
// or v1beta4, as far as quorate looks at it. Other fields are not lost: nothing is
// written from it.
type Found struct {
	APIVersion           string `json:"apiVersion"`
	ClusterName          string `json:"clusterName"`
	KubernetesVersion    string `json:"kubernetesVersion"`
	ControlPlaneEndpoint string `json:"controlPlaneEndpoint"`
	CertificatesDir      string `json:"certificatesDir"`
	ImageRepository      string `json:"imageRepository"`
	EncryptionAlgorithm  string `json:"encryptionAlgorithm"`
	Networking           struct {
		PodSubnet     string `json:"podSubnet"`
		ServiceSubnet string `json:"serviceSubnet"`
		DNSDomain     string `json:"dnsDomain"`
	} `json:"networking"`
	Etcd struct {
		Local *struct {
			FoundComponent
			ImageRepository string   `json:"imageRepository"`
			ImageTag        string   `json:"imageTag"`
			DataDir         string   `json:"dataDir"`
			ServerCertSANs  []string `json:"serverCertSANs"`
			PeerCertSANs    []string `json:"peerCertSANs"`
		} `json:"local"`
		External *ExternalEtcd `json:"external"`
	} `json:"etcd"`
	APIServer struct {
		FoundComponent
		CertSANs []string `json:"certSANs"`
	} `json:"apiServer"`
	ControllerManager FoundComponent  `json:"controllerManager"`
	Scheduler         FoundComponent  `json:"scheduler"`
	FeatureGates      map[string]bool `json:"featureGates"`
}

// FoundComponent is what a person has set for a part of the control plane.
type FoundComponent struct {
	ExtraArgs    FoundArgs       `json:"extraArgs"`
	ExtraVolumes []HostPathMount `json:"extraVolumes"`
}

// FoundArgs are flags: a map in v1beta3, a list in v1beta4.
type FoundArgs []Arg

// UnmarshalJSON takes both forms.
func (a *FoundArgs) UnmarshalJSON(text []byte) error {
	var list []Arg
	if err := json.Unmarshal(text, &list); err == nil {
		*a = list
		return nil
	}
	var byName map[string]string
	if err := json.Unmarshal(text, &byName); err != nil {
		return fmt.Errorf("extraArgs are neither a list nor a map: %w", err)
	}
	*a = nil
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		*a = append(*a, Arg{name, byName[name]})
	}
	return nil
}

// Read reads a ClusterConfiguration. A field that it does not know is no error: a
// newer kubeadm may have more.
func Read(text []byte) (f Found, err error) {
	if err := yaml.Unmarshal(text, &f); err != nil {
		return Found{}, fmt.Errorf("read kubeadm's ClusterConfiguration: %w", err)
	}
	if f.KubernetesVersion == "" {
		return Found{}, fmt.Errorf("kubeadm's ClusterConfiguration names no kubernetesVersion (apiVersion %q)", f.APIVersion)
	}
	return f, nil
}
