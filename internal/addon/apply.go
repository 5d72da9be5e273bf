package addon

import (
	"context"
	"fmt"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/kubeapi"
)

// Apply brings one addon into the cluster by server-side apply, then notes its
// digest. If it is cut short it is applied again.
func Apply(ctx context.Context, c *kubeapi.Client, of component.Context, name string) error {
	addons, err := Addons(of, c.CA())
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
		if name == AddonRBAC {
			if err := c.Delete(ctx, retired()); err != nil {
				return fmt.Errorf("addon %s: %w", name, err)
			}
		}
		return c.NoteAddon(ctx, name, digests[name])
	}
	return fmt.Errorf("addon %s: there is none of that name", name)
}

// RemoveMetricsServer deletes the one addon that can be switched off, then its
// digest. If it is cut short it is deleted again.
func RemoveMetricsServer(ctx context.Context, c *kubeapi.Client, of component.Context) error {
	if err := c.Delete(ctx, metricsServer(of)); err != nil {
		return fmt.Errorf("addon %s: %w", AddonMetricsServer, err)
	}
	return c.ForgetAddon(ctx, AddonMetricsServer)
}
