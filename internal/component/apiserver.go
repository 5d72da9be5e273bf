package component

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiserver "k8s.io/apiserver/pkg/apis/apiserver/v1"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

const (
	auditPolicyPath    = "/etc/kubernetes/audit-policy.yaml"
	authenticationPath = "/etc/kubernetes/authentication.yaml"
	AuditLogPath       = "/var/log/kubernetes/audit.log"
)

// APIServer is the kube-apiserver of a control plane. It reads its serving
// certificate, the encryption configuration and the CAs again by itself; a
// change of the etcd members needs a restart.
func APIServer(ctx Context) (workload.Service, error) {
	if len(ctx.EtcdMembers) == 0 {
		return workload.Service{}, fmt.Errorf("kube-apiserver of %s: no etcd member to connect to; bring up etcd first", ctx.Self.Name)
	}
	audit, err := Render(auditPolicy())
	if err != nil {
		return workload.Service{}, fmt.Errorf("write %s: %w", auditPolicyPath, err)
	}
	authentication, err := Render(healthOnly())
	if err != nil {
		return workload.Service{}, fmt.Errorf("write %s: %w", authenticationPath, err)
	}
	return workload.UnitService("kube-apiserver", workload.Unit{
		Cluster:     ctx.Cluster,
		Description: "Kubernetes API server",
		Docs:        "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/",
		Exec:        workload.CommandLine(BinDir+"/kube-apiserver", apiServerFlags(ctx), ctx.extra("kube-apiserver")),
		Service: append([]string{
			// Ready once it serves (k8s.io/apiserver: SdNotify). Without etcd it
			// waits, and gives up by itself.
			"Type=notify",
			"TimeoutStartSec=5min",
			// shutdown-delay-duration and the requests in flight; a log that
			// somebody follows would hold it for a minute.
			"TimeoutStopSec=20s",
			"LimitNOFILE=65536",
			"LogsDirectory=kubernetes",
			"LogsDirectoryMode=0750",
		}, slices.Concat(onlyReady, confined)...),
	}, []string{pki.APIServer, pki.APIServerEtcdClient, pki.APIServerKubeletClient, pki.FrontProxyClient},
		workload.File{File: host.File{Path: auditPolicyPath, Content: audit}},
		workload.File{File: host.File{Path: authenticationPath, Content: authentication}}), nil
}

// apiServerFlags are checked against v1.36's options (cmd/kube-apiserver,
// k8s.io/apiserver/pkg/server/options); none is deprecated there.
func apiServerFlags(ctx Context) map[string]string {
	return map[string]string{
		"advertise-address": ctx.Self.Address,
		"bind-address":      ctx.anyAddress(),
		"secure-port":       APIServerPort,
		"allow-privileged":  "true",

		"etcd-servers":  etcdServers(ctx),
		"etcd-cafile":   pki.EtcdCACertPath,
		"etcd-certfile": pki.CertPath(pki.APIServerEtcdClient),
		"etcd-keyfile":  pki.KeyPath(pki.APIServerEtcdClient),

		"encryption-provider-config":                  pki.EncryptionPath,
		"encryption-provider-config-automatic-reload": "true",

		"tls-cert-file":        pki.CertPath(pki.APIServer),
		"tls-private-key-file": pki.KeyPath(pki.APIServer),
		"tls-min-version":      "VersionTLS12",
		"client-ca-file":       pki.CACertPath,

		"kubelet-certificate-authority":   pki.CACertPath,
		"kubelet-client-certificate":      pki.CertPath(pki.APIServerKubeletClient),
		"kubelet-client-key":              pki.KeyPath(pki.APIServerKubeletClient),
		"kubelet-preferred-address-types": "InternalIP,Hostname",
		"kubelet-timeout":                 "10s",

		// Aggregation. Routing goes to endpoints, so that it also works on a
		// control plane without kube-proxy.
		"enable-aggregator-routing":          "true",
		"proxy-client-cert-file":             pki.CertPath(pki.FrontProxyClient),
		"proxy-client-key-file":              pki.KeyPath(pki.FrontProxyClient),
		"requestheader-allowed-names":        pki.FrontProxyUser,
		"requestheader-client-ca-file":       pki.FrontProxyCACertPath,
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
		"requestheader-group-headers":        "X-Remote-Group",
		"requestheader-username-headers":     "X-Remote-User",

		"authentication-config":       authenticationPath,
		"authorization-mode":          "Node,RBAC",
		"enable-admission-plugins":    "NodeRestriction",
		"enable-bootstrap-token-auth": "true",

		"service-account-issuer":           ctx.Issuer(),
		"service-account-key-file":         pki.SAPubPath,
		"service-account-signing-key-file": pki.SAKeyPath,
		"service-cluster-ip-range":         ctx.Spec.Network.ServiceCIDR,
		"service-node-port-range":          ctx.Spec.Network.NodePortRange,

		"audit-policy-file":          auditPolicyPath,
		"audit-log-path":             AuditLogPath,
		"audit-log-maxage":           "15",
		"audit-log-maxbackup":        "5",
		"audit-log-maxsize":          "100",
		"audit-log-mode":             "batch",
		"audit-log-truncate-enabled": "true",

		"default-not-ready-toleration-seconds":   "300",
		"default-unreachable-toleration-seconds": "300",
		"event-ttl":                              "24h",
		"max-requests-inflight":                  "800",
		"max-mutating-requests-inflight":         "400",
		"profiling":                              "false",

		// One request in a thousand asks its HTTP/2 client to connect anew, so
		// that clients come back to a server that was away.
		"goaway-chance": "0.001",
		// /readyz fails first and requests are still served, until kube-proxy on
		// every node knows that this server is no endpoint any more (it syncs
		// once a second) and balancers with active checks have left. Then the
		// listener closes at once, so that front doors are refused and take the
		// next server (shutdown-send-retry-after would answer 429 there); watches
		// are told to go elsewhere.
		"shutdown-delay-duration":                 "3s",
		"shutdown-watch-termination-grace-period": "5s",
	}
}

// etcdServers are all members, a member on this host first.
func etcdServers(ctx Context) string {
	var own, others []string
	for _, m := range ctx.EtcdMembers {
		if m.Name == ctx.Self.Name {
			own = append(own, https(m.Address, "2379"))
		} else {
			others = append(others, https(m.Address, "2379"))
		}
	}
	return strings.Join(append(own, others...), ",")
}

// healthOnly lets anonymous requests reach the health checks and nothing else,
// whatever is bound to system:unauthenticated (KEP-4633, stable since v1.34;
// v1 of the kind likewise). Balancers and doctors need no certificate there.
func healthOnly() apiserver.AuthenticationConfiguration {
	return apiserver.AuthenticationConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: apiserver.SchemeGroupVersion.String(), Kind: "AuthenticationConfiguration"},
		JWT:      []apiserver.JWTAuthenticator{},
		Anonymous: &apiserver.AnonymousAuthConfig{Enabled: true, Conditions: []apiserver.AnonymousAuthCondition{
			{Path: "/livez"}, {Path: "/readyz"}, {Path: "/healthz"},
		}},
	}
}
