package kubeapi

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

const (
	kubeadmPath = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
	kubeadmKey  = "ClusterConfiguration"
)

// KubeadmConfiguration is what kubeadm keeps in the cluster; fs.ErrNotExist when
// there is none.
func (c *Client) KubeadmConfiguration(ctx context.Context) ([]byte, error) {
	var m corev1.ConfigMap
	if err := c.get(ctx, kubeadmPath, &m); err != nil {
		return nil, err
	}
	return []byte(m.Data[kubeadmKey]), nil
}

// EditConfigMap changes the text of one key, unless somebody else changes the object
// meanwhile; fs.ErrNotExist when there is none.
func (c *Client) EditConfigMap(ctx context.Context, namespace, name, key string, edit func(old []byte) ([]byte, error)) error {
	path := "/api/v1/namespaces/" + namespace + "/configmaps/" + name
	var m corev1.ConfigMap
	if err := c.get(ctx, path, &m); err != nil {
		return err
	}
	text, err := edit([]byte(m.Data[key]))
	if err != nil {
		return fmt.Errorf("ConfigMap %s/%s: %w", namespace, name, err)
	}
	if string(text) == m.Data[key] {
		return nil
	}
	return c.MergeInto(ctx, path, map[string]any{"metadata": map[string]any{"resourceVersion": m.ResourceVersion},
		"data": map[string]string{key: string(text)}})
}
