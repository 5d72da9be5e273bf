// Package kubeconfig writes and merges kubeconfigs. It makes no certificate and
// decides no server.
package kubeconfig

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	api "k8s.io/client-go/tools/clientcmd/api"
)

// Entry is the one cluster, user and context of a kubeconfig we write.
type Entry struct {
	Cluster, User, Context, Namespace string
	Server, serverName                string // serverName: what its certificate must say instead
	CAPath, CertPath, KeyPath, Token  string
	CA, cert, key                     []byte
}

func (e Entry) Config() *api.Config {
	c := api.NewConfig()
	c.Clusters[e.Cluster] = &api.Cluster{Server: e.Server, TLSServerName: e.serverName, CertificateAuthority: e.CAPath,
		CertificateAuthorityData: e.CA}
	c.AuthInfos[e.User] = &api.AuthInfo{ClientCertificate: e.CertPath, ClientKey: e.KeyPath,
		ClientCertificateData: e.cert, ClientKeyData: e.key, Token: e.Token}
	c.Contexts[e.Context] = &api.Context{Cluster: e.Cluster, AuthInfo: e.User, Namespace: e.Namespace}
	c.CurrentContext = e.Context
	return c
}

// Person is a user with a client certificate. ServerName is the name by which the
// server's certificate is checked, when it is reached under another; Namespace is
// where kubectl works unless it is told another.
type Person struct {
	Cluster, User, Server, ServerName, Namespace string
	CA, Cert, Key                                []byte // PEM
}

// Kubeconfig is a kubeconfig for people: everything inside, names after the
// cluster and the user, so that many clusters fit into one file.
func Kubeconfig(cluster, user, server string, caPEM, certPEM, keyPEM []byte) ([]byte, error) {
	return Write(Person{Cluster: cluster, User: user, Server: server, CA: caPEM, Cert: certPEM, Key: keyPEM})
}

// Write is Kubeconfig with all that can be said.
func Write(p Person) ([]byte, error) {
	name := p.User + "@" + p.Cluster
	text, err := clientcmd.Write(*Entry{Cluster: p.Cluster, User: name, Context: name, Namespace: p.Namespace, Server: p.Server,
		serverName: p.ServerName, CA: p.CA, cert: p.Cert, key: p.Key}.Config())
	if err != nil {
		return nil, fmt.Errorf("write kubeconfig of %s: %w", p.Cluster, err)
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
