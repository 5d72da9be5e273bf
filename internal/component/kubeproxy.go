package component

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	component "k8s.io/component-base/config/v1alpha1"
	proxy "k8s.io/kube-proxy/config/v1alpha1"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

// KubeProxy is the kube-proxy of every node. Its user system:kube-proxy is
// bound to system:node-proxier by the API server itself.
func KubeProxy(ctx Context) (workload.Service, error) {
	at := ctx.Layout.KubeProxy
	conf, err := ctx.byPath(at.Kubeconfig, ctx.server(), pki.KubeProxyClient)
	if err != nil {
		return workload.Service{}, err
	}
	config, err := renderWith(proxyConfiguration(ctx, at.Kubeconfig), "spec.kubeProxyConfiguration", ctx.Spec.KubeProxyConfiguration)
	if err != nil {
		return workload.Service{}, err
	}
	return workload.UnitService(ctx.Layout.Unit(model.KubeProxy), workload.Unit{
		Cluster:     ctx.Cluster,
		Description: "Kubernetes service proxy",
		Docs:        "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/",
		Exec:        workload.CommandLine(ctx.Layout.Program("kube-proxy"), map[string]string{"config": at.Config}, ctx.extra("kube-proxy")),
		Service:     slices.Concat([]string{workload.StateDirectory(at.Root)}, proxyBounds, pings, ctx.environment("kube-proxy")),
	}, []string{pki.KubeProxyClient}, conf,
		workload.File{File: host.File{Path: at.Config, Content: config}}), nil
}

func proxyConfiguration(ctx Context, kubeconfig string) proxy.KubeProxyConfiguration {
	return proxy.KubeProxyConfiguration{
		TypeMeta:         metav1.TypeMeta{APIVersion: proxy.SchemeGroupVersion.String(), Kind: "KubeProxyConfiguration"},
		ClientConnection: component.ClientConnectionConfiguration{Kubeconfig: kubeconfig},
		HostnameOverride: ctx.Self.Name,
		Mode:             proxy.ProxyMode(ctx.Spec.Network.ProxyMode),
		DetectLocalMode:  "ClusterCIDR",
		ClusterCIDR:      ctx.Spec.Network.PodCIDR,
	}
}

// proxyDocument is the configuration of the kube-proxies that kubeadm runs. Which
// host each is on, and its kubeconfig, kubeadm says.
func proxyDocument(ctx Context) ([]byte, error) {
	ctx.Self.Name = ""
	return renderWith(proxyConfiguration(ctx, ""), "spec.kubeProxyConfiguration", ctx.Spec.KubeProxyConfiguration)
}
