package kube

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/unit"
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
func (c Context) byPath(path, server, cert string) (unit.File, error) {
	text, err := clientcmd.Write(*entry{cluster: c.Cluster, user: cert, context: cert, server: server,
		caPath: pki.CACertPath, certPath: pki.CertPath(cert), keyPath: pki.KeyPath(cert)}.config())
	if err != nil {
		return unit.File{}, fmt.Errorf("write %s: %w", path, err)
	}
	return unit.File{File: host.File{Path: path, Content: text, Mode: 0o600}}, nil
}

// kubeletKubeconfig is byte for byte what a kubelet writes after its bootstrap
// from BootstrapKubeconfig (pkg/kubelet/certificate/bootstrap:
// writeKubeconfigFromBootstrapping). Lying there beforehand it does no harm: as
// long as it names no valid certificate the kubelet bootstraps. So the endpoint
// of a node changes by a new file and a restart, without a new certificate.
func (c Context) kubeletKubeconfig() (unit.File, error) {
	text, err := clientcmd.Write(*entry{cluster: "default-cluster", user: "default-auth", context: "default-context",
		namespace: "default", server: c.server(), caPath: pki.CACertPath,
		certPath: kubeletClientPEM, keyPath: kubeletClientPEM}.config())
	if err != nil {
		return unit.File{}, fmt.Errorf("write %s: %w", KubeletConfigPath, err)
	}
	return unit.File{File: host.File{Path: KubeletConfigPath, Content: text, Mode: 0o600}}, nil
}

// BootstrapKubeconfig is the file by which a new kubelet asks for its first
// client certificate. It holds a token and is no part of the Service; it may
// be removed once the node is there.
func BootstrapKubeconfig(ctx Context, token string) (host.File, error) {
	text, err := clientcmd.Write(*entry{cluster: "default-cluster", user: "bootstrap", context: "default-context",
		namespace: "default", server: ctx.server(), caPath: pki.CACertPath, token: token}.config())
	if err != nil {
		return host.File{}, fmt.Errorf("write %s: %w", BootstrapPath, err)
	}
	return host.File{Path: BootstrapPath, Content: text, Mode: 0o600, Secret: true}, nil
}
