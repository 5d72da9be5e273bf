package kubeconfig

import (
	"errors"
	"regexp"

	"k8s.io/client-go/tools/clientcmd"
)

var serverLine = regexp.MustCompile(`(?m)^([ \t-]*server:[ \t]*)[^\r\n]*$`)

// Server is the server that a kubeconfig's current context leads to.
func Server(text []byte) (string, error) {
	c, err := clientcmd.Load(text)
	if err != nil {
		return "", err
	}
	if at := c.Contexts[c.CurrentContext]; at != nil && c.Clusters[at.Cluster] != nil {
		return c.Clusters[at.Cluster].Server, nil
	}
	for _, cluster := range c.Clusters { // one without users, as for those who join
		if len(c.Clusters) == 1 {
			return cluster.Server, nil
		}
	}
	return "", errors.New("it has no current context; give it one with kubectl config use-context")
}

// SetServer leads a kubeconfig of one cluster to another server. Every other byte
// stays.
func SetServer(text []byte, server string) ([]byte, error) {
	if n := len(serverLine.FindAllIndex(text, -1)); n != 1 {
		return nil, errors.New("it does not have exactly one line \"server:\"; change the server in it by hand")
	}
	out := serverLine.ReplaceAll(text, []byte("${1}"+server))
	if now, err := Server(out); err != nil || now != server {
		return nil, errors.New("its server cannot be changed without changing more; change it by hand")
	}
	return out, nil
}
