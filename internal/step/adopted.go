package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"quorate.dev/quorate/internal/addon"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeadm"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/kubeconfig"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/workload"
)

// PointKubelet leads a kubelet that others have set up to the endpoint: the server in
// its kubeconfig changes, and it is restarted. Its pods go on.
type PointKubelet struct{ on }

// About implements plan.Step.
func (s PointKubelet) About() plan.About {
	return plan.About{Kind: "point-kubelet", Host: s.ID, Title: "lead the kubelet to the endpoint",
		Why: "the server in its kubeconfig changes, and it restarts", Seconds: table[model.Kubelet].seconds}
}

// Need implements plan.Step.
func (s PointKubelet) Need(c model.Cluster) error {
	if err := s.prepared(c); err != nil {
		return err
	}
	if h := c.Hosts[s.ID]; !h.Runs(model.Kubelet) {
		return errors.New("its kubelet is not running")
	}
	return s.endpointLeads(c)
}

// Effect implements plan.Step.
func (s PointKubelet) Effect(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		h.Via, h.Components[model.Kubelet].Running = s.Want.Via, s.Want.Components[model.Kubelet].Running
	})
}

// Interim implements plan.Step.
func (s PointKubelet) Interim(c *model.Cluster) {
	c.Edit(s.ID, func(h *model.Host) {
		h.Via, h.Components[model.Kubelet].Running = model.Is(model.Way{}), model.Is("")
	})
}

// Do implements Action.
func (s PointKubelet) Do(ctx context.Context, e Env) error {
	at := e.Goal.Layout.Kubelet.Kubeconfig
	old, err := e.Host.ReadFile(ctx, at)
	if err != nil {
		return err
	}
	text, err := kubeconfig.SetServer(old, "https://"+e.Goal.Base.Endpoint())
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if err := write(ctx, e, []host.File{{Path: at, Content: text, Mode: 0o600, Secret: true}}); err != nil {
		return err
	}
	_, err = sh(ctx, e, "", `systemctl restart "$1"`, e.Goal.Layout.Service(model.Kubelet))
	return err
}

// pointKubelet proposes it for those that use a server directly, or somebody's
// balancer.
func pointKubelet(have *model.Host, at on, _ model.Cluster) []plan.Step {
	if !at.Want.Components[model.Kubelet].Disk.Is(workload.AsFound) || at.Want.Via.Or(model.Way{}).Kind != model.LocalBalancer ||
		!have.Runs(model.Kubelet) {
		return nil
	}
	switch have.Via.Or(model.Way{}).Kind {
	case model.FixedServer, model.SharedBalancer:
		return []plan.Step{PointKubelet{at}}
	}
	return nil
}

// otherEndpoint is the need of what changes documents that others have made: an
// endpoint that the cluster has already is theirs.
func (s Addon) otherEndpoint(c model.Cluster) error {
	is, known := c.Published.KubeadmConfig.Get()
	if !c.Adopted || s.Name != addon.AddonKubeadm || !known || is == "" || !model.Differs(c.Published.KubeadmConfig, s.names.KubeadmConfig) {
		return nil
	}
	return needsOperator(fmt.Sprintf("the cluster's endpoint is %s already, and changing one that others have set is not built yet: "+
		"write it into controlPlaneEndpoint, with loadBalancer: {kind: external}", is))
}

// publish enters what the file says into documents that others have made. All else of
// them stays, and so does a document that somebody has done away with.
func (s Addon) publish(ctx context.Context, e Env, c *kubeapi.Client) error {
	server := "https://" + e.Goal.Base.Endpoint()
	lead := func(old []byte) ([]byte, error) { return kubeconfig.SetServer(old, server) }
	if s.Name == addon.AddonKubeProxy {
		return c.EditConfigMap(ctx, "kube-system", "kube-proxy", "kubeconfig.conf", lead)
	}
	endpoint := e.Goal.File.Spec.ControlPlaneEndpoint
	err := c.EditConfigMap(ctx, "kube-system", "kubeadm-config", "ClusterConfiguration", func(old []byte) ([]byte, error) {
		doc, err := kubeadm.Parse(old)
		if err != nil {
			return nil, err
		}
		doc.AddSANs(e.Goal.File.Spec.CertSANs...)
		if s.names.KubeadmConfig.Known() && endpoint != "" {
			doc.SetEndpoint(endpoint)
		}
		return doc.Text()
	})
	if err != nil || !s.names.ClusterInfo.Known() {
		return err
	}
	err = c.EditConfigMap(ctx, "kube-public", "cluster-info", "kubeconfig", lead)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
