package kubeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// departedKey stands beside the applied file: the hosts that left it and have
// not been seen clean.
const departedKey = "departed.json"

// Departed is a host that left the file.
type Departed struct {
	Name    string `json:"name"`
	Address string `json:"address"` // for SSH
	// Roles are those that it had in the file; none: not known.
	Roles []string `json:"roles,omitempty"`
	// Found says that others have set it up.
	Found bool `json:"found,omitempty"`
}

// Departed are the hosts that left the file and have not been seen clean.
func (c *Client) Departed(ctx context.Context) ([]Departed, error) {
	_, left, err := c.Kept(ctx)
	return left, err
}

// Kept is what the cluster keeps about itself: the applied file, and the hosts
// that left it and have not been seen clean. Both are empty before the first apply.
func (c *Client) Kept(ctx context.Context) (file []byte, left []Departed, err error) {
	m, err := c.configMap(ctx, clusterPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if text := m[departedKey]; text != "" {
		if err := json.Unmarshal([]byte(text), &left); err != nil {
			return nil, nil, c.failed("read the hosts that left", fmt.Errorf("kube-system/quorate-cluster: %w", err))
		}
	}
	return []byte(m[clusterKey]), left, nil
}

// DropDeparted forgets one of the hosts that left; that it is not among them is
// fine. One caller at a time: the list is written as a whole.
func (c *Client) DropDeparted(ctx context.Context, name string) error {
	list, err := c.Departed(ctx)
	if err != nil {
		return err
	}
	rest := slices.DeleteFunc(list, func(d Departed) bool { return d.Name == name })
	return c.PutDeparted(ctx, rest)
}

// PutDeparted notes the hosts that left. It has a field manager of its own, so
// that the file and the list are written apart.
func (c *Client) PutDeparted(ctx context.Context, of []Departed) error {
	if of == nil {
		of = []Departed{}
	}
	text, err := json.Marshal(of)
	if err != nil {
		return fmt.Errorf("write the hosts that left: %w", err)
	}
	body, err := ApplyBody(&corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "quorate-cluster"},
		Data:       map[string]string{departedKey: string(text)},
	})
	if err != nil {
		return err
	}
	return c.applyAs(ctx, clusterPath, fieldManager+"-departed", body)
}
