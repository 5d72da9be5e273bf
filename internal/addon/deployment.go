package addon

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"quorate.dev/quorate/internal/kubeapi"
)

// workload is a Deployment in kube-system that must outlive the loss of a host.
type workload struct {
	name      string
	labels    map[string]string // of its pods; also the selector
	container corev1.Container
	volumes   []corev1.Volume
	dnsPolicy corev1.DNSPolicy
}

// objects are the Deployment, its account and its disruption budget. There are
// two replicas, one where there is only one node, and never two on one host:
// while a cluster comes up there is only the first host, and what is spread
// "if possible" stays there for ever. A surge could find no third host, so an
// update replaces one replica at a time.
func (w workload) objects(nodes int) []runtime.Object {
	meta := metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: w.name, Labels: w.labels}
	selector := &metav1.LabelSelector{MatchLabels: w.labels}
	one, none := intstr.FromInt32(1), intstr.FromInt32(0)
	return []runtime.Object{
		&corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"},
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: w.name}},
		&appsv1.Deployment{
			TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "Deployment"},
			ObjectMeta: meta,
			Spec: appsv1.DeploymentSpec{
				Replicas: new(int32(min(2, max(1, nodes)))),
				Selector: selector,
				Strategy: appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType,
					RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &one, MaxSurge: &none}},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: w.labels}, Spec: w.pod(selector)},
			},
		},
		&policyv1.PodDisruptionBudget{
			TypeMeta:   metav1.TypeMeta{APIVersion: policyv1.SchemeGroupVersion.String(), Kind: "PodDisruptionBudget"},
			ObjectMeta: meta,
			Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &one, Selector: selector},
		},
	}
}

func (w workload) pod(selector *metav1.LabelSelector) corev1.PodSpec {
	return corev1.PodSpec{
		ServiceAccountName: w.name,
		PriorityClassName:  "system-cluster-critical",
		DNSPolicy:          w.dnsPolicy,
		NodeSelector:       map[string]string{corev1.LabelOSStable: "linux"},
		SecurityContext:    &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Affinity: &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{LabelSelector: selector, TopologyKey: corev1.LabelHostname}},
		}},
		Tolerations: []corev1.Toleration{
			{Key: "CriticalAddonsOnly", Operator: corev1.TolerationOpExists},
			{Key: kubeapi.ControlPlaneLabel, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
			// Leave a dead host sooner than ordinary pods do.
			{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute,
				TolerationSeconds: new(int64(30))},
			{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute,
				TolerationSeconds: new(int64(30))},
		},
		Containers: []corev1.Container{w.container},
		Volumes:    w.volumes,
	}
}

// service is a Service in kube-system; ip may be empty.
func service(name, ip string, labels, selector map[string]string, ports ...corev1.ServicePort) runtime.Object {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: name, Labels: labels},
		Spec:       corev1.ServiceSpec{ClusterIP: ip, Selector: selector, Ports: ports},
	}
}

// noPrivileges is the security context of a container that needs at most one
// capability.
func noPrivileges(add ...corev1.Capability) *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}, Add: add},
	}
}

func httpProbe(path, port string, scheme corev1.URIScheme) corev1.ProbeHandler {
	return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.Parse(port), Scheme: scheme}}
}

func requests(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
}
