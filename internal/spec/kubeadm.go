package spec

// judgeKubeadm checks what a cluster of the kubeadm flavour cannot have.
func judgeKubeadm(r *report, c *Cluster) {
	if c.Spec.Kubernetes.Flavour != FlavourKubeadm {
		if c.Spec.PatchesFolder != "" {
			r.bad("spec.patchesFolder", "none, or flavour "+FlavourKubeadm, "only kubeadm's manifests are patched")
		}
		for _, name := range sorted(c.Spec.Components) {
			if len(c.Spec.Components[name].ExtraVolumes) > 0 {
				r.bad(child("spec.components", name)+".extraVolumes", "none, or flavour "+FlavourKubeadm,
					"a systemd unit sees the host's files as they are")
			}
		}
		return
	}
	if mode := c.Spec.Network.ProxyMode; mode != "nftables" && c.Spec.Adopted == nil && c.Spec.Artifacts.Source != "upstream" {
		r.bad("spec.network.proxyMode", "nftables, or artifacts.source: upstream", "an image of kube-proxy that is built from modules has no "+
			"programs for %s", shown(mode))
	}
	if c.Spec.Hardened() {
		r.bad("spec.security", SecurityPrivileged+", or flavour systemd", "%s is not supported yet with flavour %s", shown(c.Spec.Security),
			FlavourKubeadm)
	}
	if p := c.Spec.Components["kube-proxy"]; len(p.ExtraArgs)+len(p.ExtraEnvs)+len(p.ExtraVolumes) > 0 {
		r.bad("spec.components.kube-proxy", "fields of spec.kubeProxyConfiguration", "kubeadm gives kube-proxy no flags, environment or volumes")
	}
	for _, name := range []string{"etcd", "kubelet"} {
		if len(c.Spec.Components[name].ExtraVolumes) > 0 {
			r.bad("spec.components."+name+".extraVolumes", "none", "%s", map[string]string{
				"etcd": "kubeadm gives etcd none", "kubelet": "the kubelet sees the host's files as they are"}[name])
		}
	}
}
