package component

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	audit "k8s.io/apiserver/pkg/apis/audit/v1"
)

// auditPolicy says what the audit log holds. The first rule that fits wins:
// what is frequent and harmless is dropped, what holds secrets is named but not
// shown, reads are shown without their answers, the rest whole. The rules are
// those of Kubernetes' own set-up for Compute Engine (cluster/gce/gci:
// configure-helper.sh), which installations from binaries have copied ever
// since, brought to today's API groups.
func auditPolicy() audit.Policy {
	const sa = "system:serviceaccount:kube-system:"
	status := in("", "nodes/status", "pods/status")
	return audit.Policy{
		TypeMeta:          metav1.TypeMeta{APIVersion: audit.SchemeGroupVersion.String(), Kind: "Policy"},
		OmitStages:        []audit.Stage{audit.StageRequestReceived},
		OmitManagedFields: true,
		Rules: []audit.PolicyRule{
			// Frequent and harmless: no trace.
			{Level: audit.LevelNone, Users: []string{"system:kube-proxy"}, Verbs: []string{"watch"},
				Resources: append(in("", "endpoints", "services", "services/status"), in("discovery.k8s.io", "endpointslices")...)},
			{Level: audit.LevelNone, UserGroups: []string{"system:nodes"}, Verbs: []string{"get"},
				Resources: in("", "nodes", "nodes/status")},
			{Level: audit.LevelNone, Verbs: []string{"get", "update"}, Resources: in("coordination.k8s.io", "leases"),
				Users: []string{"system:kube-controller-manager", "system:kube-scheduler", "system:apiserver"}},
			{Level: audit.LevelNone, UserGroups: []string{"system:nodes"}, Verbs: []string{"get", "update"},
				Resources: in("coordination.k8s.io", "leases")},
			{Level: audit.LevelNone, Users: []string{"system:apiserver"}, Verbs: []string{"get"},
				Resources: in("", "namespaces", "namespaces/status", "namespaces/finalize")},
			{Level: audit.LevelNone, Verbs: []string{"get", "list"}, Resources: in("metrics.k8s.io"),
				Users: []string{"system:kube-controller-manager", sa + "horizontal-pod-autoscaler"}},
			{Level: audit.LevelNone, NonResourceURLs: []string{"/healthz*", "/livez*", "/readyz*", "/version", "/openapi*"}},
			{Level: audit.LevelNone, Resources: append(in("", "events"), in("events.k8s.io", "events")...)},
			// Status of nodes and pods: the answer says nothing new.
			{Level: audit.LevelRequest, UserGroups: []string{"system:nodes"}, Verbs: []string{"update", "patch"}, Resources: status},
			{Level: audit.LevelRequest, Users: []string{sa + "node-problem-detector"}, Verbs: []string{"update", "patch"}, Resources: status},
			// The answers of a namespace's end are long.
			{Level: audit.LevelRequest, Users: []string{sa + "namespace-controller"}, Verbs: []string{"deletecollection"}},
			// Secret content: who did what, never what it was.
			{Level: audit.LevelMetadata,
				Resources: append(in("", "secrets", "configmaps", "serviceaccounts/token"), in("authentication.k8s.io", "tokenreviews")...)},
			// Answers to reads are long.
			{Level: audit.LevelRequest, Verbs: []string{"get", "list", "watch"}, Resources: known()},
			{Level: audit.LevelRequestResponse, Resources: known()},
			{Level: audit.LevelMetadata},
		},
	}
}

func in(group string, resources ...string) []audit.GroupResources {
	return []audit.GroupResources{{Group: group, Resources: resources}}
}

// known are the API groups whose requests may be shown whole.
func known() []audit.GroupResources {
	var out []audit.GroupResources
	for _, g := range []string{"", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps",
		"authentication.k8s.io", "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io",
		"discovery.k8s.io", "flowcontrol.apiserver.k8s.io", "metrics.k8s.io", "networking.k8s.io", "node.k8s.io",
		"policy", "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io"} {
		out = append(out, in(g)...)
	}
	return out
}
