package step

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/addon"
	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// byKubeadm are the addons that only kubeadm's phases can make, on a control plane.
var byKubeadm = []string{addon.AddonKubeadm, addon.AddonKubeProxy}

// kubeadmReady is what phases need that go through the API: admin.conf, which
// leads to the endpoint, and the binding by which it may do everything.
func (s Addon) kubeadmReady(c model.Cluster) error {
	_, is := c.Addons[addon.AddonKubeadm]
	if !is || !slices.Contains(append(slices.Clone(byKubeadm), addon.AddonCoreDNS), s.Name) {
		return nil
	}
	h := c.Hosts[s.ID]
	switch {
	case c.Addons[addon.AddonRBAC].Or(model.Installed{}).Digest == "":
		return errors.New("the API does not know yet what kubeadm may do")
	case wantsDoor(s.Want) && !(h.HasDoor() && h.Backends.Or(model.HostSet{}).Any(c.Serving())):
		return errors.New("its front door, through which kubeadm reaches the API, leads to no API server that answers yet")
	case model.Differs(h.AdminServer, s.Want.AdminServer):
		return errors.New("its admin.conf, by which kubeadm works, does not lead to the endpoint yet")
	}
	return s.endpointLeads(c)
}

// phases runs phases of kubeadm's on the host, with the host's configuration.
func (o on) phases(ctx context.Context, e Env, phases ...[]string) error {
	h, err := o.goal(e)
	if err != nil {
		return err
	}
	config, err := component.KubeadmConfig(h.Context, "", nil)
	if err != nil {
		return err
	}
	return runPhases(ctx, e, config, phases...)
}

// restartProxies lets kube-proxies that were there before read their new
// configuration: kubeadm changes it and restarts none. Those that are to use
// another server are restarted one by one, by RestartProxy.
func (s Addon) restartProxies(ctx context.Context, e Env) error {
	if s.Name != addon.AddonKubeProxy || e.Have.Addons[s.Name].Or(model.Installed{}).Digest == "" ||
		len(restartProxies(e.Have, e.Goal.Want)) > 0 {
		return nil
	}
	_, err := sh(ctx, e, "", `"$1" --kubeconfig "$2" -n kube-system rollout restart daemonset/kube-proxy`, e.Goal.Layout.Program("kubectl"),
		e.Goal.Layout.PKI.ConfFile(pki.AdminConf))
	return err
}

// runPhases runs `kubeadm init phase …`. The configuration lies where a reboot
// takes it away, and only while they run.
func runPhases(ctx context.Context, e Env, config []byte, phases ...[]string) error {
	name := "kubeadm-" + strings.Join(phases[0][:1], "") // phases of several steps run side by side
	file := path.Join(e.Goal.Layout.Own.Stage, name+".yaml")
	if _, err := e.Host.WriteFiles(ctx, []host.File{{Path: file, Content: config, Mode: 0o600}}); err != nil {
		return err
	}
	for _, p := range phases {
		args := append([]string{e.Goal.Layout.Program("kubeadm"), "init", "phase"}, p...)
		if _, err := e.Host.Run(ctx, host.Cmd{Args: append(args, "--config", file), Unit: name}); err != nil {
			return fmt.Errorf("kubeadm init phase %s: %w", strings.Join(p, " "), err)
		}
	}
	_, err := sh(ctx, e, "", `rm -f "$1"`, file)
	return err
}

// make lets kubeadm write the manifests that are not as wanted. An old one is
// kept: a phase writes the whole file, and drops what others have added.
func (s Run) make(ctx context.Context, e Env, h *goal.Host, services []*workload.Service) error {
	for i, v := range s.Set {
		m := services[i].Made
		if m == nil || model.Same(e.Have.Hosts[s.ID].Components[v].Disk, s.Want.Components[v].Disk) {
			continue
		}
		kept, err := sh(ctx, e, "", `[ -e "$1" ] || exit 0
d=$2/$(date -u +%Y%m%dT%H%M%SZ)${1%/*}; mkdir -p -m 700 "$2" && mkdir -p "$d" && cp -p "$1" "$d/" && echo "$d/${1##*/}"`,
			component.ManifestPath(e.Goal.Layout, v), e.Goal.Layout.Own.Kept)
		if err != nil {
			return err
		}
		if kept != "" {
			e.Keep(component.ManifestPath(e.Goal.Layout, v), kept)
		}
		state, members := etcd.State(""), []topology.Node(nil)
		if v == model.Etcd {
			if state, members, err = s.beginsWith(ctx, e, h); err != nil {
				return err
			}
		}
		config, err := component.KubeadmConfig(h.Context, state, members)
		if err != nil {
			return err
		}
		if err := runPhases(ctx, e, config, m.Phase); err != nil {
			return err
		}
	}
	return nil
}
