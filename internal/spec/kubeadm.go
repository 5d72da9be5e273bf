package spec

// judgeKubeadm checks what a cluster of the kubeadm flavour cannot have.
func judgeKubeadm(r *report, c *Cluster) {
	if c.Spec.Kubernetes.Flavour != FlavourKubeadm {
		return
	}
	if mode := c.Spec.Network.ProxyMode; mode != "nftables" && c.Spec.Artifacts.Source != "upstream" {
		r.bad("spec.network.proxyMode", "nftables, or artifacts.source: upstream", "an image of kube-proxy that is built from modules has no "+
			"programs for %s", shown(mode))
	}
	if c.Spec.Hardened() {
		r.bad("spec.security", SecurityPrivileged+", or flavour systemd", "%s is not supported yet with flavour %s", shown(c.Spec.Security),
			FlavourKubeadm)
	}
	if len(c.Spec.Components["kube-proxy"].ExtraArgs) > 0 {
		r.bad("spec.components.kube-proxy", "fields of spec.kubeProxyConfiguration", "kubeadm gives kube-proxy no flags")
	}
}
