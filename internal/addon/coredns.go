package addon

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"quorate.dev/quorate/internal/component"
)

// CoreDNSDeployment is the Deployment to ask for the health of the cluster DNS.
const CoreDNSDeployment = "coredns"

// corefile is that of Kubernetes' own addon (cluster/addons/dns/coredns).
const corefile = `.:53 {
    errors
    health {
        lameduck 5s
    }
    ready
    kubernetes %s in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
        max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
`

// coreDNS is the cluster DNS, as Kubernetes' own addon has it but for the
// spread over hosts (workload). The Service keeps the name kube-dns: kubelets,
// tools and documents know it.
func coreDNS(ctx component.Context) ([]runtime.Object, error) {
	ip, err := ctx.DNSIP()
	if err != nil {
		return nil, err
	}
	labels := map[string]string{"k8s-app": "kube-dns"}
	read := []string{"list", "watch"}
	w := workload{
		name: CoreDNSDeployment, labels: labels, dnsPolicy: corev1.DNSDefault,
		volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: CoreDNSDeployment}}}}},
		container: corev1.Container{
			Name: "coredns", Image: ctx.ImageCoreDNS, ImagePullPolicy: corev1.PullIfNotPresent,
			Args: []string{"-conf", "/etc/coredns/Corefile"},
			Resources: corev1.ResourceRequirements{Requests: requests("100m", "70Mi"),
				Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("170Mi")}},
			VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: "/etc/coredns", ReadOnly: true}},
			Ports: []corev1.ContainerPort{
				{Name: "dns", ContainerPort: 53, Protocol: corev1.ProtocolUDP},
				{Name: "dns-tcp", ContainerPort: 53, Protocol: corev1.ProtocolTCP},
				{Name: "metrics", ContainerPort: 9153, Protocol: corev1.ProtocolTCP},
			},
			LivenessProbe: &corev1.Probe{ProbeHandler: httpProbe("/health", "8080", corev1.URISchemeHTTP), InitialDelaySeconds: 60,
				TimeoutSeconds: 5, FailureThreshold: 5},
			ReadinessProbe:  &corev1.Probe{ProbeHandler: httpProbe("/ready", "8181", corev1.URISchemeHTTP), PeriodSeconds: 5},
			SecurityContext: noPrivileges("NET_BIND_SERVICE"),
		},
	}
	port := func(name string, n int32, p corev1.Protocol) corev1.ServicePort {
		return corev1.ServicePort{Name: name, Port: n, TargetPort: intstr.FromInt32(n), Protocol: p}
	}
	out := []runtime.Object{
		clusterRole("system:coredns",
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services", "pods", "namespaces"}, Verbs: read},
			rbacv1.PolicyRule{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: read}),
		bind("system:coredns", "system:coredns", account(w.name)),
		&corev1.ConfigMap{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: w.name},
			Data:       map[string]string{"Corefile": fmt.Sprintf(corefile, ctx.Spec.Network.DNSDomain)},
		},
		service("kube-dns", ip, labels, labels, port("dns", 53, corev1.ProtocolUDP),
			port("dns-tcp", 53, corev1.ProtocolTCP), port("metrics", 9153, corev1.ProtocolTCP)),
	}
	out = append(out, w.objects(len(ctx.Nodes))...)
	// Hosts that leave together do not take all of it with them; a pod that does
	// not work holds up nobody.
	most, sick := intstr.FromInt32(1), policyv1.AlwaysAllow
	return append(out, &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: w.name, Labels: labels},
		Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &most, UnhealthyPodEvictionPolicy: &sick,
			Selector: &metav1.LabelSelector{MatchLabels: labels}},
	}), nil
}
