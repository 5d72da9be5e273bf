package kubeapi

import (
	"context"

	corev1 "k8s.io/api/core/v1"
)

const (
	kubeadmPath = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
	kubeadmKey  = "ClusterConfiguration"
)

// KubeadmConfiguration is what kubeadm keeps in the cluster, and the version of the
// object that holds it; fs.ErrNotExist when there is none.
func (c *Client) KubeadmConfiguration(ctx context.Context) (text []byte, version string, err error) {
	var m corev1.ConfigMap
	if err := c.get(ctx, kubeadmPath, &m); err != nil {
		return nil, "", err
	}
	return []byte(m.Data[kubeadmKey]), m.ResourceVersion, nil
}

// SetKubeadmConfiguration replaces it, unless somebody has changed it since it had
// that version.
func (c *Client) SetKubeadmConfiguration(ctx context.Context, text []byte, version string) error {
	return c.MergeInto(ctx, kubeadmPath, map[string]any{"metadata": map[string]any{"resourceVersion": version},
		"data": map[string]string{kubeadmKey: string(text)}})
}
