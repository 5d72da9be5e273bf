package addon

import (
	"context"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/kubeapi"
)

// byKubeadm are the addons of a kubeadm cluster. Its phases upload its
// configuration, allow joins by token, and deploy kube-proxy and CoreDNS. The
// bindings come first, for kubeadm's own admin.conf works by one of them.
func byKubeadm(ctx component.Context) (base []Addon, dns Addon, err error) {
	shared, err := component.KubeadmShared(ctx)
	if err != nil {
		return nil, dns, err
	}
	proxy, err := component.KubeadmProxy(ctx)
	if err != nil {
		return nil, dns, err
	}
	base = []Addon{
		{Name: AddonRBAC, Objects: append(bindings(), kubeadmAdmins())},
		{Name: AddonKubeadm, Phases: [][]string{{"upload-config", "all"}, {"bootstrap-token", "--skip-token-print"}}, Of: shared},
		{Name: AddonKubeProxy, Phases: [][]string{{"addon", "kube-proxy"}}, Of: proxy},
	}
	// Its Corefile, and with it the objects, kubeadm leaves alone once they are there.
	return base, Addon{Name: AddonCoreDNS, Phases: [][]string{{"addon", "coredns"}}, Of: []byte(ctx.ImageCoreDNS)}, nil
}

// Phases are those of kubeadm's that make an addon; nil: quorate applies it.
func Phases(of component.Context, name string) ([][]string, error) {
	addons, err := Addons(of, nil)
	for _, a := range addons {
		if a.Name == name {
			return a.Phases, err
		}
	}
	return nil, err
}

// Note writes down that the phases of an addon were run.
func Note(ctx context.Context, c *kubeapi.Client, of component.Context, name string) error {
	digests, err := Digests(of)
	if err != nil {
		return err
	}
	return c.NoteAddon(ctx, name, digests[name])
}
