package component

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	component "k8s.io/component-base/config/v1alpha1"
	proxy "k8s.io/kube-proxy/config/v1alpha1"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

const (
	kubeProxyConf       = "/etc/kubernetes/kube-proxy.conf"
	kubeProxyConfigYAML = "/var/lib/kube-proxy/config.yaml"
)

// KubeProxy is the kube-proxy of every node. Its user system:kube-proxy is
// bound to system:node-proxier by the API server itself.
func KubeProxy(ctx Context) (workload.Service, error) {
	conf, err := ctx.byPath(kubeProxyConf, ctx.server(), pki.KubeProxyClient)
	if err != nil {
		return workload.Service{}, err
	}
	config, err := renderWith(proxy.KubeProxyConfiguration{
		TypeMeta:         metav1.TypeMeta{APIVersion: proxy.SchemeGroupVersion.String(), Kind: "KubeProxyConfiguration"},
		ClientConnection: component.ClientConnectionConfiguration{Kubeconfig: kubeProxyConf},
		HostnameOverride: ctx.Self.Name,
		Mode:             proxy.ProxyMode(ctx.Spec.Network.ProxyMode),
		DetectLocalMode:  "ClusterCIDR",
		ClusterCIDR:      ctx.Spec.Network.PodCIDR,
	}, "spec.kubeProxyConfiguration", ctx.Spec.KubeProxyConfiguration)
	if err != nil {
		return workload.Service{}, err
	}
	return workload.UnitService("kube-proxy", workload.Unit{
		Cluster:     ctx.Cluster,
		Description: "Kubernetes service proxy",
		Docs:        "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/",
		Exec:        workload.CommandLine(BinDir+"/kube-proxy", map[string]string{"config": kubeProxyConfigYAML}, ctx.extra("kube-proxy")),
		Service: []string{
			// It writes packet filters and sysctls of the network: no confinement
			// beyond the file system.
			"NoNewPrivileges=yes",
			"ProtectSystem=full",
			"ProtectHome=yes",
			"StateDirectory=kube-proxy",
		},
	}, []string{pki.KubeProxyClient}, conf,
		workload.File{File: host.File{Path: kubeProxyConfigYAML, Content: config}}), nil
}
