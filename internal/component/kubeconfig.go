package component

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeconfig"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

// The kubelet's two kubeconfigs, and the link it keeps on its newest
// certificate (client-go util/certificate: FileStore).
const (
	BootstrapPath     = "/etc/kubernetes/bootstrap-kubelet.conf"
	KubeletConfigPath = "/etc/kubernetes/kubelet.conf"
	kubeletClientPEM  = "/var/lib/kubelet/pki/kubelet-client-current.pem"
)

// byPath is the kubeconfig of a component: it names the certificate's files
// instead of holding it. client-go reads such files again by itself, so a
// renewed certificate needs no restart (rest.TLSClientConfig.CertFile).
func (c Context) byPath(path, server, cert string) (workload.File, error) {
	text, err := clientcmd.Write(*kubeconfig.Entry{Cluster: c.Cluster, User: cert, Context: cert, Server: server,
		CAPath: pki.CACertPath, CertPath: pki.CertPath(cert), KeyPath: pki.KeyPath(cert)}.Config())
	if err != nil {
		return workload.File{}, fmt.Errorf("write %s: %w", path, err)
	}
	return workload.File{File: host.File{Path: path, Content: text, Mode: 0o600}}, nil
}

// kubeletKubeconfig is byte for byte what a kubelet writes after its bootstrap
// from BootstrapKubeconfig (pkg/kubelet/certificate/bootstrap:
// writeKubeconfigFromBootstrapping). Lying there beforehand it does no harm: as
// long as it names no valid certificate the kubelet bootstraps. So the endpoint
// of a node changes by a new file and a restart, without a new certificate.
func (c Context) kubeletKubeconfig() (workload.File, error) {
	text, err := clientcmd.Write(*kubeconfig.Entry{Cluster: "default-cluster", User: "default-auth", Context: "default-context",
		Namespace: "default", Server: c.server(), CAPath: pki.CACertPath,
		CertPath: kubeletClientPEM, KeyPath: kubeletClientPEM}.Config())
	if err != nil {
		return workload.File{}, fmt.Errorf("write %s: %w", KubeletConfigPath, err)
	}
	return workload.File{File: host.File{Path: KubeletConfigPath, Content: text, Mode: 0o600}}, nil
}

// BootstrapKubeconfig is the file by which a new kubelet asks for its first
// client certificate. It holds a token and is no part of the Service; it may
// be removed once the node is there.
func BootstrapKubeconfig(ctx Context, token string) (host.File, error) {
	text, err := clientcmd.Write(*kubeconfig.Entry{Cluster: "default-cluster", User: "bootstrap", Context: "default-context",
		Namespace: "default", Server: ctx.server(), CAPath: pki.CACertPath, Token: token}.Config())
	if err != nil {
		return host.File{}, fmt.Errorf("write %s: %w", BootstrapPath, err)
	}
	return host.File{Path: BootstrapPath, Content: text, Mode: 0o600, Secret: true}, nil
}
