package kubeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

const (
	fieldManager = "quorate"

	// The digests of all addons lie in one ConfigMap, the applied file in another.
	addonsPath  = "/api/v1/namespaces/kube-system/configmaps/quorate-addons"
	clusterPath = "/api/v1/namespaces/kube-system/configmaps/quorate-cluster"
	clusterKey  = "cluster.yaml"
)

// AddonDigests are the digests of the addons as last applied, by name; none
// before the first time. What people changed since is not seen.
func (c *Client) AddonDigests(ctx context.Context) (map[string]string, error) {
	m, err := c.configMap(ctx, addonsPath)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	return m, err
}

// Cluster is the applied file as the cluster keeps it; fs.ErrNotExist when
// there is none.
func (c *Client) Cluster(ctx context.Context) ([]byte, error) {
	m, err := c.configMap(ctx, clusterPath)
	if err != nil {
		return nil, err
	}
	return []byte(m[clusterKey]), nil
}

// PutCluster keeps the applied file in the cluster. It must hold no secret.
func (c *Client) PutCluster(ctx context.Context, file []byte) error {
	return c.putConfigMap(ctx, clusterPath, "quorate-cluster", map[string]string{clusterKey: string(file)})
}

func (c *Client) configMap(ctx context.Context, path string) (map[string]string, error) {
	var m corev1.ConfigMap
	if err := c.get(ctx, path, &m); err != nil {
		return nil, err
	}
	return m.Data, nil
}

func (c *Client) putConfigMap(ctx context.Context, path, name string, data map[string]string) error {
	body, err := ApplyBody(&corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: name},
		Data:       data,
	})
	if err != nil {
		return err
	}
	return c.patch(ctx, path, types.ApplyPatchType, body)
}

// Apply brings objects into the cluster by server-side apply, in their order.
func (c *Client) Apply(ctx context.Context, objects []runtime.Object) error {
	for _, o := range objects {
		path, err := c.path(ctx, o)
		if err != nil {
			return err
		}
		body, err := ApplyBody(o)
		if err != nil {
			return err
		}
		if err := c.patch(ctx, path, types.ApplyPatchType, body); err != nil {
			return err
		}
	}
	return nil
}

// Delete takes objects out of the cluster, last first; absent ones are fine.
func (c *Client) Delete(ctx context.Context, objects []runtime.Object) error {
	for i := len(objects) - 1; i >= 0; i-- {
		path, err := c.path(ctx, objects[i])
		if err != nil {
			return err
		}
		if err := c.remove(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// ApplyBody is an object without what we do not decide: an empty status.
func ApplyBody(o runtime.Object) ([]byte, error) {
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, fmt.Errorf("write %T: %w", o, err)
	}
	delete(m, "status")
	return json.Marshal(m)
}

// resources are the kinds of one group and version: their resource's name, and
// whether it lives in a namespace.
type resources map[string]metav1.APIResource

// path is where an object lives. The server is asked once for each group and
// version, so that kinds of a user's own manifest are known as well.
func (c *Client) path(ctx context.Context, o runtime.Object) (string, error) {
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return "", fmt.Errorf("write %T: %w", o, err)
	}
	u := unstructured.Unstructured{Object: m}
	root := "/apis/" + u.GetAPIVersion()
	if u.GetAPIVersion() == "v1" {
		root = "/api/v1"
	}
	kinds, ok := c.resources[root]
	if !ok {
		var list metav1.APIResourceList
		if err := c.get(ctx, root, &list); err != nil {
			return "", err
		}
		kinds = resources{}
		for _, r := range list.APIResources {
			if _, sub := kinds[r.Kind]; !sub { // subresources follow, with kinds of their own or the same
				kinds[r.Kind] = r
			}
		}
		c.resources[root] = kinds
	}
	r, ok := kinds[u.GetKind()]
	if !ok {
		delete(c.resources, root) // it may come with a custom resource definition
		return "", c.failed("find kind "+u.GetKind(), fmt.Errorf("%s has no such kind (yet); apply again", root))
	}
	if !r.Namespaced {
		return root + "/" + r.Name + "/" + u.GetName(), nil
	}
	namespace := u.GetNamespace()
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	return root + "/namespaces/" + namespace + "/" + r.Name + "/" + u.GetName(), nil
}
