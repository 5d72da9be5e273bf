package kubeapi

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// NoteAddon writes one addon's digest. Each addon has a field manager of its
// own, so that two noted at once do not take each other's entry away.
func (c *Client) NoteAddon(ctx context.Context, name, digest string) error {
	body, err := ApplyBody(&corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "quorate-addons"},
		Data:       map[string]string{name: digest},
	})
	if err != nil {
		return err
	}
	return c.applyAs(ctx, addonsPath, fieldManager+"-"+name, body)
}

// applyAs applies with a field manager other than the common one.
func (c *Client) applyAs(ctx context.Context, path, manager string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := c.Rest.Patch(types.ApplyPatchType).AbsPath(path).Param("fieldManager", manager).Param("force", "true").Body(body).Do(ctx).Error()
	if err != nil {
		return c.failed("apply "+path, err)
	}
	return nil
}

// ForgetAddon removes the digest of one addon. A null removes the key, whoever
// wrote it.
func (c *Client) ForgetAddon(ctx context.Context, name string) error {
	return c.MergeInto(ctx, addonsPath, map[string]any{"data": map[string]any{name: nil}})
}

// CA is the certificate authority, as PEM, by which the server was verified.
func (c *Client) CA() []byte { return c.ca }
