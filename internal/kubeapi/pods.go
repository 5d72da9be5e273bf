package kubeapi

import (
	"context"

	corev1 "k8s.io/api/core/v1"
)

// RestartPods deletes the pods of a label on a node, which their controller makes
// anew.
func (c *Client) RestartPods(ctx context.Context, namespace, label, node string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	pods := "/api/v1/namespaces/" + namespace + "/pods"
	var list corev1.PodList
	err := c.Rest.Get().AbsPath(pods).Param("labelSelector", label).Param("fieldSelector", "spec.nodeName="+node).Do(ctx).Into(&list)
	if err != nil {
		return c.failed("list the pods "+label+" of "+node, err)
	}
	for _, p := range list.Items {
		if p.DeletionTimestamp != nil {
			continue
		}
		if err := c.remove(ctx, pods+"/"+p.Name); err != nil {
			return err
		}
	}
	return nil
}

// ConfigMap is the text of a ConfigMap by its keys; fs.ErrNotExist when there is
// none.
func (c *Client) ConfigMap(ctx context.Context, namespace, name string) (map[string]string, error) {
	return c.configMap(ctx, "/api/v1/namespaces/"+namespace+"/configmaps/"+name)
}
