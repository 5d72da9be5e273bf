package component

import (
	"fmt"
	"path"
	"slices"

	"k8s.io/client-go/tools/clientcmd"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeconfig"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/workload"
)

// byPath is the kubeconfig of a component: it names the certificate's files
// instead of holding it. client-go reads such files again by itself, so a
// renewed certificate needs no restart (rest.TLSClientConfig.CertFile).
func (c Context) byPath(path, server, cert string) (workload.File, error) {
	keys := c.Layout.PKI
	text, err := written(kubeconfig.Entry{Cluster: c.Cluster, User: cert, Context: cert, Server: server,
		CAPath: keys.CA.Cert, CertPath: keys.Leaf(cert).Cert, KeyPath: keys.Leaf(cert).Key})
	if err != nil {
		return workload.File{}, fmt.Errorf("write %s: %w", path, err)
	}
	return workload.File{File: host.File{Path: path, Content: text, Mode: 0o600}}, nil
}

func written(e kubeconfig.Entry) ([]byte, error) {
	return once(source{kind: "kubeconfig", value: fmt.Sprintf("%+v", e)}, func() ([]byte, error) { return clientcmd.Write(*e.Config()) })
}

// kubeletKubeconfig is byte for byte what a kubelet writes after a bootstrap by
// token (pkg/kubelet/certificate/bootstrap: writeKubeconfigFromBootstrapping). So
// the endpoint of a node changes by a new file and a restart, without a new certificate.
func (c Context) kubeletKubeconfig() (workload.File, error) {
	text, err := written(kubeconfig.Entry{Cluster: "default-cluster", User: "default-auth", Context: "default-context",
		Namespace: "default", Server: c.server(), CAPath: c.Layout.PKI.CA.Cert,
		CertPath: c.Layout.Kubelet.ClientPEM, KeyPath: c.Layout.Kubelet.ClientPEM})
	if err != nil {
		return workload.File{}, fmt.Errorf("write %s: %w", c.Layout.Kubelet.Kubeconfig, err)
	}
	return workload.File{File: host.File{Path: c.Layout.Kubelet.Kubeconfig, Content: text, Mode: 0o600}}, nil
}

// KubeletClientFiles are a kubelet's first client certificate with its key, and
// the link to it, which the kubelet moves on when it renews the certificate
// (client-go util/certificate: FileStore).
func KubeletClientFiles(at layout.Kubelet, certPEM, keyPEM []byte) (first host.File, link string) {
	return host.File{Path: path.Dir(at.ClientPEM) + "/kubelet-client-first.pem", Content: slices.Concat(certPEM, keyPEM), Mode: 0o600,
		Secret: true}, at.ClientPEM
}
