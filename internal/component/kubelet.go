package component

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubelet "k8s.io/kubelet/config/v1beta1"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

// Kubelet is the kubelet of every node. Its client certificate it fetches by
// BootstrapKubeconfig and renews by itself; its serving certificate is ours, by
// the cluster's CA, and read again when it changes (ReloadKubeletServerCertificateFile).
func Kubelet(ctx Context) (workload.Service, error) {
	at := ctx.Layout
	base, err := kubeletConfiguration(ctx)
	if err != nil {
		return workload.Service{}, err
	}
	config, err := renderWith(base, "spec.kubeletConfiguration", ctx.Spec.KubeletConfiguration)
	if err != nil {
		return workload.Service{}, err
	}
	conf, err := ctx.kubeletKubeconfig()
	if err != nil {
		return workload.Service{}, err
	}
	flags := map[string]string{
		"config":               at.Kubelet.Config,
		"bootstrap-kubeconfig": at.Kubelet.Bootstrap,
		"kubeconfig":           at.Kubelet.Kubeconfig,
		"hostname-override":    ctx.Self.Name,
		"node-ip":              ctx.Self.Address,
	}
	after := []string{at.Service(model.Containerd)}
	if ctx.bridged() {
		after = append(after, at.Service(model.PodNetwork))
	}
	lines := []string{
		// The kubelet reads its own usage and containerd's.
		"CPUAccounting=yes",
		"MemoryAccounting=yes",
		workload.StateDirectory(at.Kubelet.Root),
	}
	if ctx.Pods[model.Etcd] != workload.NoPod { // it starts etcd
		lines = append(lines, "ExecStartPre=+-/bin/sh -c '"+etcd.RaiseFence(at.Own.Fence)+"'")
	}
	return workload.UnitService(at.Unit(model.Kubelet), workload.Unit{
		Cluster:     ctx.Cluster,
		Description: "Kubernetes kubelet",
		Docs:        "https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/",
		After:       after,
		Exec:        workload.CommandLine(at.Program("kubelet"), flags, ctx.extra("kubelet")),
		Service:     append(lines, pings...),
	}, []string{pki.KubeletServer}, conf,
		workload.File{File: host.File{Path: at.Kubelet.Config, Content: config}}), nil
}

func kubeletConfiguration(ctx Context) (kubelet.KubeletConfiguration, error) {
	dns, err := ctx.DNSIP()
	if err != nil {
		return kubelet.KubeletConfiguration{}, err
	}
	c := kubelet.KubeletConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: kubelet.SchemeGroupVersion.String(), Kind: "KubeletConfiguration"},
		Authentication: kubelet.KubeletAuthentication{
			Anonymous: kubelet.KubeletAnonymousAuthentication{Enabled: new(false)},
			Webhook:   kubelet.KubeletWebhookAuthentication{Enabled: new(true)},
			X509:      kubelet.KubeletX509Authentication{ClientCAFile: ctx.Layout.PKI.CA.Cert},
		},
		Authorization:            kubelet.KubeletAuthorization{Mode: kubelet.KubeletAuthorizationModeWebhook},
		RotateCertificates:       true,
		TLSCertFile:              ctx.Layout.PKI.Leaf(pki.KubeletServer).Cert,
		TLSPrivateKeyFile:        ctx.Layout.PKI.Leaf(pki.KubeletServer).Key,
		TLSMinVersion:            "VersionTLS12",
		ClusterDNS:               []string{dns},
		ClusterDomain:            ctx.Spec.Network.DNSDomain,
		ContainerRuntimeEndpoint: "unix://" + ctx.Layout.Containerd.Socket,
		CgroupDriver:             "systemd",
		// The defaults, said because the failure detector depends on them:
		// kube-controller-manager waits 50 s (node-monitor-grace-period).
		NodeLeaseDurationSeconds: 40,
		SerializeImagePulls:      new(false),
		MaxParallelImagePulls:    new(int32(3)),
	}
	if ctx.CgroupV1 {
		c.FailCgroupV1 = new(false)
	}
	if ctx.hasPods() {
		c.StaticPodPath = ctx.Layout.Kubelet.Manifests
	}
	if ctx.ResolvConf != "" {
		c.ResolverConfig = new(ctx.ResolvConf)
	}
	if ctx.Self.ControlPlane && !ctx.Self.Worker {
		c.RegisterWithTaints = []corev1.Taint{{Key: kubeapi.ControlPlaneLabel, Effect: corev1.TaintEffectNoSchedule}}
	}
	return c, nil
}
