package addon

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"quorate.dev/quorate/internal/component"
)

// metricsServer answers `kubectl top` and the autoscaler, and proves that
// aggregation works. It trusts kubelets by the cluster's CA, which every
// namespace has in kube-root-ca.crt: our kubelets serve certificates of that CA.
func metricsServer(ctx component.Context) []runtime.Object {
	const name, caDir = "metrics-server", "/etc/kubernetes-ca"
	labels := map[string]string{"k8s-app": name}
	w := workload{
		name: name, labels: labels,
		volumes: []corev1.Volume{
			{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "ca", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
				LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}}}},
		},
		container: corev1.Container{
			Name: name, Image: ctx.ImageMetricsServer, ImagePullPolicy: corev1.PullIfNotPresent,
			Args: []string{
				"--cert-dir=/tmp",
				"--secure-port=10250",
				"--kubelet-preferred-address-types=InternalIP,Hostname",
				"--kubelet-use-node-status-port",
				"--kubelet-certificate-authority=" + caDir + "/ca.crt",
				"--metric-resolution=15s",
			},
			Resources: corev1.ResourceRequirements{Requests: requests("50m", "64Mi")},
			VolumeMounts: []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"},
				{Name: "ca", MountPath: caDir, ReadOnly: true}},
			Ports:         []corev1.ContainerPort{{Name: "https", ContainerPort: 10250, Protocol: corev1.ProtocolTCP}},
			LivenessProbe: &corev1.Probe{ProbeHandler: httpProbe("/livez", "https", corev1.URISchemeHTTPS), PeriodSeconds: 10, FailureThreshold: 3},
			ReadinessProbe: &corev1.Probe{ProbeHandler: httpProbe("/readyz", "https", corev1.URISchemeHTTPS), InitialDelaySeconds: 5,
				PeriodSeconds: 5},
			SecurityContext: func() *corev1.SecurityContext {
				s := noPrivileges()
				s.RunAsNonRoot, s.RunAsUser = new(true), new(int64(1000))
				return s
			}(),
		},
	}
	read := []string{"get", "list", "watch"}
	reader := clusterRole("system:aggregated-metrics-reader",
		rbacv1.PolicyRule{APIGroups: []string{"metrics.k8s.io"}, Resources: []string{"pods", "nodes"}, Verbs: read})
	reader.(*rbacv1.ClusterRole).Labels = map[string]string{
		"rbac.authorization.k8s.io/aggregate-to-admin": "true",
		"rbac.authorization.k8s.io/aggregate-to-edit":  "true",
		"rbac.authorization.k8s.io/aggregate-to-view":  "true",
	}
	out := []runtime.Object{
		reader,
		clusterRole("system:"+name,
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"nodes/metrics"}, Verbs: []string{"get"}},
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods", "nodes"}, Verbs: read}),
		bind("system:"+name, "system:"+name, account(name)),
		bind(name+":system:auth-delegator", "system:auth-delegator", account(name)),
		bindIn(metav1.NamespaceSystem, name+"-auth-reader", "extension-apiserver-authentication-reader", account(name)),
		service(name, "", labels, labels, corev1.ServicePort{Name: "https", Port: 443, TargetPort: intstr.FromString("https"),
			Protocol: corev1.ProtocolTCP}),
	}
	return append(append(out, w.objects(len(ctx.Nodes))...), metricsAPI(name))
}

// metricsAPI sends metrics.k8s.io to the service. Its type lives in
// k8s.io/kube-aggregator, a module we would link for this one object. The
// server makes its own serving certificate at each start, hence insecure.
func metricsAPI(service string) runtime.Object {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1",
		"kind":       "APIService",
		"metadata":   map[string]any{"name": "v1beta1.metrics.k8s.io"},
		"spec": map[string]any{
			"group": "metrics.k8s.io", "version": "v1beta1",
			"groupPriorityMinimum": int64(100), "versionPriority": int64(100),
			"insecureSkipTLSVerify": true,
			"service":               map[string]any{"namespace": metav1.NamespaceSystem, "name": service, "port": int64(443)},
		},
	}}
}
