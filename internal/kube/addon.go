package kube

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ApplyAddon brings one addon of the Context into the cluster by server-side
// apply, then notes its digest: cut short, it is done again.
func (c *Client) ApplyAddon(ctx context.Context, of Context, name string) error {
	addons, err := Addons(of, c.ca)
	if err != nil {
		return err
	}
	digests, err := Digests(of)
	if err != nil {
		return err
	}
	for _, a := range addons {
		if a.Name != name {
			continue
		}
		if err := c.Apply(ctx, a.Objects); err != nil {
			return fmt.Errorf("addon %s: %w", name, err)
		}
		return c.NoteAddon(ctx, name, digests[name])
	}
	return fmt.Errorf("addon %s: there is none of that name", name)
}

// NoteAddon writes one addon's digest. Each addon has a field manager of its
// own, so that two noted at once do not take each other's entry away.
func (c *Client) NoteAddon(ctx context.Context, name, digest string) error {
	body, err := applyBody(&corev1.ConfigMap{
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
	err := c.rest.Patch(types.ApplyPatchType).AbsPath(path).Param("fieldManager", manager).Param("force", "true").Body(body).Do(ctx).Error()
	if err != nil {
		return c.failed("apply "+path, err)
	}
	return nil
}
