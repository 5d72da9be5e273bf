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
	if c.Adopted { // it has them, and no phase is run
		return nil
	}
	h := c.Hosts[s.ID]
	switch {
	case c.Addons[addon.AddonRBAC].Or(model.Installed{}).Digest == "":
		return errors.New("the API does not know yet what kubeadm may do")
	case shares(c) && !wantsDoor(s.Want):
		if !c.Leads(s.ID, model.Way{Kind: model.SharedAddress}) {
			return errors.New("no load balancer, through which kubeadm reaches the API, leads to an API server that answers yet")
		}
	case s.outsideReady(&h) != nil:
		return s.outsideReady(&h)
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
	own, err := ownKubeadm(ctx, e)
	if err != nil {
		return err
	}
	of := h.Context
	of.Patches = nil // of static pods
	config, err := component.KubeadmConfig(of, own, "", nil)
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
		args := append([]string{program(e, "kubeadm"), "init", "phase"}, p...)
		if _, err := e.Host.Run(ctx, host.Cmd{Args: append(args, "--config", file), Unit: name}); err != nil {
			return fmt.Errorf("kubeadm init phase %s: %w", strings.Join(p, " "), err)
		}
	}
	_, err := sh(ctx, e, "", `rm -f "$1"`, file)
	return err
}

// make brings manifests of kubeadm's to what is wanted. One that is there is
// edited, if flags and image are all that differs. Else kubeadm writes it: a phase
// writes the whole file, and drops what others have added. The old one is kept.
func (s Run) make(ctx context.Context, e Env, h *goal.Host, services []*workload.Service) error {
	for i, v := range s.Set {
		m := services[i].Made
		if m == nil || model.Same(e.Have.Hosts[s.ID].Components[v].Disk, s.Want.Components[v].Disk) {
			continue
		}
		done, err := s.amend(ctx, e, v, services[i])
		if err != nil {
			return err
		}
		if done {
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
		own, err := ownKubeadm(ctx, e)
		if err != nil {
			return err
		}
		of := h.Context
		of.Patches = of.PatchesOf(v)
		config, err := component.KubeadmConfig(of, own, state, members)
		if err != nil {
			return err
		}
		if err := runPhases(ctx, e, config, m.Phase); err != nil {
			return err
		}
	}
	return nil
}

// amend makes ready what the user adds to a pod, and edits a manifest that is
// there; it says whether that is all. What others have made is left to kubeadm.
func (s Run) amend(ctx context.Context, e Env, v model.Component, svc *workload.Service) (bool, error) {
	if svc.Made.Loose {
		return false, nil
	}
	if err := s.custom(ctx, e, svc); err != nil {
		return false, err
	}
	if v == model.Etcd && !e.Have.Hosts[s.ID].Etcd.Data.Is(true) {
		return false, nil // the first flags of a member without data say with whom it begins
	}
	return s.edit(ctx, e, svc)
}

// custom looks whether what the user's volumes show is there, and sets patches of
// the component aside that are not wanted any more: kubeadm takes all that it finds.
func (s Run) custom(ctx context.Context, e Env, svc *workload.Service) error {
	var wanted []string
	for _, f := range svc.Files {
		wanted = append(wanted, path.Base(f.Path))
	}
	out, err := sh(ctx, e, "", `cd "$1" 2>/dev/null || exit 0
for f in "$3"*; do
	[ -f "$f" ] || continue
	case " $4 " in *" $f "*) continue ;; esac
	mkdir -p -m 700 "$2"; k=$2/$(date -u +%Y%m%dT%H%M%SZ)$1; mkdir -p "$k" && mv "$f" "$k/" && echo "$1/$f	$k/$f"
done`, e.Goal.Layout.Kubelet.Patches, e.Goal.Layout.Own.Kept, svc.Name, strings.Join(wanted, " "))
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		if from, to, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			e.Keep(from, to)
		}
	}
	if len(svc.Made.Sources) == 0 {
		return nil
	}
	missing, err := sh(ctx, e, "", `for p; do [ -e "$p" ] || echo "$p"; done`, svc.Made.Sources...)
	if err == nil && missing != "" {
		err = fmt.Errorf("%s is not on %s, and its pod would never start; put it there, or say pathType: DirectoryOrCreate "+
			"(spec.components.%s.extraVolumes); nothing was changed", strings.Join(strings.Fields(missing), ", "), s.ID, svc.Name)
	}
	return err
}

// edit changes the manifest of a component at its flags and its image, if that is
// all; it says whether it was.
func (s Run) edit(ctx context.Context, e Env, svc *workload.Service) (bool, error) {
	at := svc.Path()
	text, err := sh(ctx, e, "", `[ ! -f "$1" ] || cat "$1"`, at)
	if err != nil || text == "" {
		return false, err
	}
	text = strings.TrimRight(text, "\n") + "\n" // what a command prints is trimmed
	edited, is := svc.Made.Edit(svc.Name, text)
	if !is || edited == text {
		return is, nil
	}
	return true, write(ctx, e, []host.File{{Path: at, Content: []byte(edited), Mode: 0o600}})
}

// program is a program on the step's host: quorate's, or where others have
// installed it.
func program(e Env, name string) string {
	if h := e.Goal.Hosts[model.HostID(e.Host.Name())]; h != nil && h.Found {
		return name
	}
	return e.Goal.Layout.Program(name)
}

// ownKubeadm is the configuration of kubeadm's that an adopted cluster has: it is
// the source of what its phases make. nil in other clusters.
func ownKubeadm(ctx context.Context, e Env) ([]byte, error) {
	if e.Goal.File.Spec.Adopted == nil {
		return nil, nil
	}
	c, err := e.API(ctx)
	if err != nil {
		return nil, fmt.Errorf("kubeadm's configuration is in the cluster: %w", err)
	}
	return c.KubeadmConfiguration(ctx)
}
