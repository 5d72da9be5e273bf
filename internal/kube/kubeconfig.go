package kube

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	api "k8s.io/client-go/tools/clientcmd/api"

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

// entry is the one cluster, user and context of a kubeconfig we write.
type entry struct {
	cluster, user, context, namespace string
	server, serverName                string // serverName: what its certificate must say instead
	caPath, certPath, keyPath, token  string
	ca, cert, key                     []byte
}

func (e entry) config() *api.Config {
	c := api.NewConfig()
	c.Clusters[e.cluster] = &api.Cluster{Server: e.server, TLSServerName: e.serverName, CertificateAuthority: e.caPath, CertificateAuthorityData: e.ca}
	c.AuthInfos[e.user] = &api.AuthInfo{ClientCertificate: e.certPath, ClientKey: e.keyPath,
		ClientCertificateData: e.cert, ClientKeyData: e.key, Token: e.token}
	c.Contexts[e.context] = &api.Context{Cluster: e.cluster, AuthInfo: e.user, Namespace: e.namespace}
	c.CurrentContext = e.context
	return c
}

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

// Kubeconfig is a kubeconfig for people: everything inside, names after the
// cluster and the user, so that many clusters fit into one file.
func Kubeconfig(cluster, user, server string, caPEM, certPEM, keyPEM []byte) ([]byte, error) {
	return KubeconfigVia(cluster, user, server, "", caPEM, certPEM, keyPEM)
}

// KubeconfigVia is Kubeconfig for a server that is reached under another name
// than the one (serverName) by which its certificate is checked.
func KubeconfigVia(cluster, user, server, serverName string, caPEM, certPEM, keyPEM []byte) ([]byte, error) {
	name := user + "@" + cluster
	text, err := clientcmd.Write(*entry{cluster: cluster, user: name, context: name, server: server, serverName: serverName,
		ca: caPEM, cert: certPEM, key: keyPEM}.config())
	if err != nil {
		return nil, fmt.Errorf("write kubeconfig of %s: %w", cluster, err)
	}
	return text, nil
}

// MergeKubeconfig adds the entries of add to old and makes add's context the
// current one. Entries of the same names are replaced, all others stay; an
// empty old is a new file.
func MergeKubeconfig(old, add []byte) ([]byte, error) {
	into, err := clientcmd.Load(old)
	if err != nil {
		return nil, fmt.Errorf("read the existing kubeconfig: %w; correct it, or write to another file", err)
	}
	from, err := clientcmd.Load(add)
	if err != nil {
		return nil, fmt.Errorf("read the new kubeconfig: %w", err)
	}
	for k, v := range from.Clusters {
		into.Clusters[k] = v
	}
	for k, v := range from.AuthInfos {
		into.AuthInfos[k] = v
	}
	for k, v := range from.Contexts {
		into.Contexts[k] = v
	}
	into.CurrentContext = from.CurrentContext
	return clientcmd.Write(*into)
}
