package component

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubelet "k8s.io/kubelet/config/v1beta1"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

// Kubelet is the kubelet of every node. Its first client certificate is from
// KubeletClientFiles, and it renews it by itself; its serving certificate is ours, by
// the cluster's CA, and read again when it changes (ReloadKubeletServerCertificateFile).
func Kubelet(ctx Context) (workload.Service, error) {
	at := ctx.Layout
	config, err := kubeletDocument(ctx)
	if err != nil {
		return workload.Service{}, err
	}
	conf, err := ctx.kubeletKubeconfig()
	if err != nil {
		return workload.Service{}, err
	}
	files := []workload.File{conf, {File: host.File{Path: at.Kubelet.Config, Content: config, Mode: 0o600}}}
	flags := map[string]string{
		"config":               at.Kubelet.Config,
		"bootstrap-kubeconfig": at.Kubelet.Bootstrap,
		"kubeconfig":           at.Kubelet.Kubeconfig,
	}
	exec := ""
	if at.Kubeadm {
		var own []workload.File
		if own, err = kubeadmKubeletFiles(ctx); err != nil {
			return workload.Service{}, err
		}
		files = append(files, own...)
		exec = workload.CommandLine(at.Program("kubelet"), flags, nil) + " \\\n  $" + kubeadmFlags
	} else {
		flags["hostname-override"], flags["node-ip"] = ctx.Self.Name, ctx.Self.Address
		exec = workload.CommandLine(at.Program("kubelet"), flags, ctx.extra("kubelet"))
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
	if ctx.Spec.Adopted == nil { // others' volumes and helpers may need more
		lines = append(lines, kubeletBounds...)
	}
	if at.Kubeadm {
		// The stamp is in the file of flags: where kubeadm writes that anew by hand,
		// the kubelet runs with other flags than ours, and tells no stamp of ours.
		lines = append(lines, "Environment="+workload.StampEnv+"=unknown", "EnvironmentFile=-"+at.Kubelet.Flags)
	}
	if ctx.Pods[model.Etcd] != workload.NoPod { // it starts etcd
		lines = append(lines, "ExecStartPre=+-/bin/sh -c '"+etcd.RaiseFence(at.Own.Fence)+"'")
	}
	return workload.UnitService(at.Unit(model.Kubelet), workload.Unit{
		Cluster:     ctx.Cluster,
		Description: "Kubernetes kubelet",
		Docs:        "https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/",
		After:       after,
		Exec:        exec,
		Service:     slices.Concat(lines, pings, ctx.environment("kubelet")),
	}, []string{pki.KubeletServer}, files...), nil
}

// kubeletDocument is a kubelet's configuration. In the kubeadm flavour nothing
// in it is of one host but what the host's nature demands: the rest of that is
// in its flags, so that kubeadm can give the same to all.
func kubeletDocument(ctx Context) ([]byte, error) {
	base, err := kubeletConfiguration(ctx)
	if err != nil {
		return nil, err
	}
	user := ctx.Spec.KubeletConfiguration
	if own := ctx.hostKubelet().ResolvConf; own != "" {
		user = maps.Clone(user)
		if user == nil {
			user = map[string]any{}
		}
		user["resolvConf"] = own
	}
	return renderWith(base, "spec.kubeletConfiguration", user)
}

// kubeadmFlags is the variable in which kubeadm gives a kubelet its flags.
const kubeadmFlags = "KUBELET_KUBEADM_ARGS"

// kubeadmKubeletFiles are the two files that kubeadm writes for a kubelet beside
// its configuration: the flags of the host, and what of the configuration is the
// host's own.
func kubeadmKubeletFiles(ctx Context) ([]workload.File, error) {
	at, serving := ctx.Layout.Kubelet, ctx.Layout.PKI.Leaf(pki.KubeletServer)
	flags := []string{"--hostname-override=" + ctx.Self.Name, "--node-ip=" + ctx.Self.Address}
	if ctx.tainted() {
		flags = append(flags, "--register-with-taints="+controlPlaneTaint.ToString())
	}
	if ctx.Spec.Adopted == nil { // else it signs one itself, as all others there
		flags = append(flags, "--tls-cert-file="+serving.Cert, "--tls-private-key-file="+serving.Key)
	}
	extra := ctx.extra("kubelet")
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		for _, value := range workload.Each(extra[name]) {
			if strings.ContainsAny(value, " \t\"'\\$") {
				return nil, fmt.Errorf("spec.components.kubelet.extraArgs.%s: %q has a blank, a quote, a backslash or a dollar, which "+
					"kubeadm's file of flags cannot carry; set it in spec.kubeletConfiguration instead", name, value)
			}
			flags = append(flags, "--"+name+"="+value)
		}
	}
	instance, err := Render(kubelet.KubeletConfiguration{
		TypeMeta:                 metav1.TypeMeta{APIVersion: kubelet.SchemeGroupVersion.String(), Kind: "KubeletConfiguration"},
		ContainerRuntimeEndpoint: "unix://" + ctx.Layout.Containerd.Socket,
	})
	if err != nil {
		return nil, err
	}
	return []workload.File{
		{File: host.File{Path: at.Flags, Content: []byte(kubeadmFlags + "=\"" + strings.Join(flags, " ") + "\"\n" +
			workload.StampEnv + "=" + workload.StampMark + "\n")}},
		{File: host.File{Path: at.Instance, Content: instance}},
	}, nil
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
	if !ctx.Layout.Kubeadm { // else in its flags, and its own settings
		c.PodPidsLimit = new(int64(4096)) // a fork bomb ends at its pod
		c.SeccompDefault = new(true)      // the runtime's profile where a pod names none
		serving := ctx.Layout.PKI.Leaf(pki.KubeletServer)
		c.TLSCertFile, c.TLSPrivateKeyFile = serving.Cert, serving.Key
	}
	if ctx.Spec.Hardened() {
		c.TLSCipherSuites = strongCiphers
	}
	if ctx.CgroupV1 {
		c.FailCgroupV1 = new(false)
	}
	if ctx.hasPods() || ctx.Layout.Kubeadm {
		c.StaticPodPath = ctx.Layout.Kubelet.Manifests
	}
	if ctx.ResolvConf != "" {
		c.ResolverConfig = new(ctx.ResolvConf)
	}
	if ctx.tainted() && !ctx.Layout.Kubeadm {
		c.RegisterWithTaints = []corev1.Taint{controlPlaneTaint}
	}
	return c, nil
}
