package component

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiserver "k8s.io/apiserver/pkg/apis/apiserver/v1"
)

// strongCiphers are the suites of TLS 1.2 that the CIS Kubernetes benchmark allows
// for API servers (1.2.29) and for kubelets (4.2.12) alike. Those of TLS 1.3 are
// all strong, and cannot be chosen (crypto/tls: Config.CipherSuites).
var strongCiphers = []string{
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
	"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
}

// podSecurityConfiguration is that kind of pod-security.admission.config.k8s.io/v1
// (https://kubernetes.io/docs/tasks/configure-pod-container/enforce-standards-admission-controller/).
type podSecurityConfiguration struct {
	metav1.TypeMeta `json:",inline"`
	Defaults        podSecurityDefaults   `json:"defaults"`
	Exemptions      podSecurityExemptions `json:"exemptions"`
}

type podSecurityDefaults struct {
	Enforce        string `json:"enforce"`
	EnforceVersion string `json:"enforce-version"`
	Audit          string `json:"audit"`
	AuditVersion   string `json:"audit-version"`
	Warn           string `json:"warn"`
	WarnVersion    string `json:"warn-version"`
}

type podSecurityExemptions struct {
	Namespaces []string `json:"namespaces"`
}

// podSecurity holds all namespaces that say nothing else to a Pod Security
// Standard. What falls short of restricted is warned of and goes into the audit
// log in any case. kube-system is exempt: pod networks and storage need more.
func podSecurity(level string) (apiserver.AdmissionConfiguration, error) {
	const latest, restricted = "latest", "restricted"
	config, err := json.Marshal(podSecurityConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: "pod-security.admission.config.k8s.io/v1", Kind: "PodSecurityConfiguration"},
		Defaults: podSecurityDefaults{Enforce: level, EnforceVersion: latest, Audit: restricted, AuditVersion: latest, Warn: restricted,
			WarnVersion: latest},
		Exemptions: podSecurityExemptions{Namespaces: []string{metav1.NamespaceSystem}},
	})
	return apiserver.AdmissionConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: apiserver.SchemeGroupVersion.String(), Kind: "AdmissionConfiguration"},
		Plugins: []apiserver.AdmissionPluginConfiguration{{Name: "PodSecurity",
			Configuration: &runtime.Unknown{Raw: config, ContentType: runtime.ContentTypeJSON}}},
	}, err
}
