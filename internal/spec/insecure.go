package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// risk is one setting that opens what is closed by default. It is allowed,
// since only the user knows what else guards the cluster; it is never silent.
type risk struct {
	is   func(value string) bool
	cost string // what it means
	want string // what would be safe; empty: leave it out
}

// risks are the flags that open a component, by component and flag. Where they
// are from: the CIS Kubernetes benchmark's sections 1, 2 and 4, and what each
// component's reference says of its flags.
var risks = map[string]map[string][]risk{
	"kube-apiserver": {
		"authorization-mode": {
			{holds("AlwaysAllow"), "AlwaysAllow: anyone may do anything", "Node,RBAC"},
			{lacks("Node"), "without Node a kubelet's certificate is not confined to its own node", "Node,RBAC"},
			{lacks("RBAC"), "without RBAC nobody's rights are checked as Kubernetes' components expect", "Node,RBAC"},
		},
		"authorization-config": {{always, "it replaces Node and RBAC by what that file says", ""}},
		"enable-admission-plugins": {
			{lacks("NodeRestriction"), withoutRestriction, "NodeRestriction among them"},
			{holds("AlwaysAdmit"), "AlwaysAdmit lets everything in", "a list without it"},
		},
		"disable-admission-plugins": {
			{holds("NodeRestriction"), withoutRestriction, "a list without it"},
			{holds("ServiceAccount", "NamespaceLifecycle", "PodSecurity"), "", "a list without it"},
			{holds("CertificateApproval", "CertificateSigning", "CertificateSubjectRestriction"), "", "a list without it"},
		},
		"token-auth-file":        {{always, "tokens of a file never expire, and are taken back only by a restart", ""}},
		"profiling":              {{on, profiles, "false"}},
		"tls-min-version":        {{oldTLS, "TLS below 1.2 is broken", "VersionTLS12"}},
		"service-account-lookup": {{off, "tokens of deleted service accounts stay valid", "true"}},
	},
	"kube-controller-manager": {
		"use-service-account-credentials": {{off, "all controllers share one identity with all their rights", "true"}},
		"profiling":                       {{on, profiles, "false"}},
		"tls-min-version":                 {{oldTLS, "TLS below 1.2 is broken", "VersionTLS12"}},
	},
	"kube-scheduler": {
		"profiling":       {{on, profiles, "false"}},
		"tls-min-version": {{oldTLS, "TLS below 1.2 is broken", "VersionTLS12"}},
	},
	"kubelet": {
		"anonymous-auth":      {{on, anonymous, "false"}},
		"authorization-mode":  {{holds("AlwaysAllow"), alwaysAllow, "Webhook"}},
		"read-only-port":      {{not("0"), readOnly, "0"}},
		"tls-min-version":     {{oldTLS, "TLS below 1.2 is broken", "VersionTLS12"}},
		"rotate-certificates": {{off, noRotation, "true"}},
	},
	"etcd": {
		"unsafe-no-fsync": {{on, "a host that loses its power loses writes that were acknowledged", "false"}},
		"enable-pprof":    {{on, profiles, "false"}},
		"tls-min-version": {{oldTLS, "TLS below 1.2 is broken", "TLS1.2"}},
	},
}

// fieldRisks are the same for kubeletConfiguration and kubeProxyConfiguration, by path.
var fieldRisks = map[string]map[string]risk{
	"kubeletConfiguration": {
		"authentication.anonymous.enabled": {on, anonymous, "false"},
		"authentication.webhook.enabled":   {off, "tokens of service accounts are not checked", "true"},
		"authorization.mode":               {holds("AlwaysAllow"), alwaysAllow, "Webhook"},
		"readOnlyPort":                     {not("0"), readOnly, "0"},
		"rotateCertificates":               {off, noRotation, "true"},
		"tlsMinVersion":                    {oldTLS, "TLS below 1.2 is broken", "VersionTLS12"},
	},
	"kubeProxyConfiguration": {
		"enableProfiling": {on, profiles, "false"},
	},
}

const (
	withoutRestriction = "without NodeRestriction a kubelet may change other nodes and their pods"
	profiles           = "profiles tell of memory and can slow it down"
	anonymous          = "anyone who reaches port 10250 is let in without a name"
	alwaysAllow        = "AlwaysAllow: whoever is let in may run commands in any container"
	readOnly           = "that port answers anyone without asking who they are: pods, their settings, metrics"
	noRotation         = "the kubelet's certificate expires and the node is lost"
)

func always(string) bool                { return true }
func on(v string) bool                  { b, err := strconv.ParseBool(v); return err == nil && b }
func off(v string) bool                 { b, err := strconv.ParseBool(v); return err == nil && !b }
func not(safe string) func(string) bool { return func(v string) bool { return v != safe } }

func oldTLS(v string) bool {
	return slices.Contains([]string{"VersionTLS10", "VersionTLS11", "TLS1.0", "TLS1.1"}, v)
}

func list(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' })
}

func holds(words ...string) func(string) bool {
	return func(v string) bool {
		return slices.ContainsFunc(list(v), func(s string) bool { return slices.Contains(words, s) })
	}
}

func lacks(word string) func(string) bool {
	return func(v string) bool {
		return !slices.Contains(list(v), word) && !slices.Contains(list(v), "AlwaysAllow")
	}
}

// warnInsecure warns of one extra flag, once.
func warnInsecure(r *report, path, component, flag, value string) {
	for _, k := range risks[component][flag] {
		if k.is(value) {
			warnOf(r, path, k, value)
			return
		}
	}
}

// warnInsecureFields does the same for a configuration's fields.
func warnInsecureFields(r *report, key string, given map[string]any) {
	for _, path := range sorted(fieldRisks[key]) {
		k := fieldRisks[key][path]
		if v, ok := at(given, strings.Split(path, ".")); ok && k.is(fmt.Sprint(v)) {
			warnOf(r, "spec."+key+"."+path, k, fmt.Sprint(v))
		}
	}
}

func warnOf(r *report, path string, k risk, value string) {
	cost := k.cost
	if cost == "" {
		cost = shown(value) + ": each of these guards something"
	}
	want := k.want
	if want == "" {
		want = "none"
	}
	r.warn(Insecure, path, want, "insecure: %s", cost)
}
