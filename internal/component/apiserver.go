package component

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiserver "k8s.io/apiserver/pkg/apis/apiserver/v1"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

// APIServer is the kube-apiserver of a control plane. It reads its serving
// certificate, the encryption configuration and the CAs again by itself; a
// change of the etcd members needs a restart.
func APIServer(ctx Context) (workload.Service, error) {
	root := ctx.Layout
	ctx.Layout = root.For(model.APIServer)
	at, flags := ctx.Layout.APIServer, apiServerFlags(ctx)
	files, err := apiServerFiles(ctx)
	if err != nil {
		return workload.Service{}, err
	}
	return private(workload.UnitService(ctx.Layout.Unit(model.APIServer), workload.Unit{
		Cluster:     ctx.Cluster,
		Description: "Kubernetes API server",
		After:       afterWay(ctx),
		Docs:        "https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/",
		Exec:        workload.CommandLine(ctx.Layout.Program("kube-apiserver"), flags, ctx.extra("kube-apiserver")),
		Service: append([]string{
			// Ready once it serves (k8s.io/apiserver: SdNotify). Without etcd it
			// waits, and gives up by itself.
			"Type=notify",
			"TimeoutStartSec=5min",
			// shutdown-delay-duration and the requests in flight; a log that
			// somebody follows would hold it for a minute.
			"TimeoutStopSec=20s",
			"LimitNOFILE=65536",
			workload.LogsDirectory(at.Logs),
			"LogsDirectoryMode=0750",
		}, slices.Concat(onlyReady(at.Port), confined, []string{
			"SystemCallFilter=@chown", // lumberjack, where it begins a new audit log
		}, ctx.environment("kube-apiserver"))...),
	}, apiServerCerts, files...), root, model.APIServer, slices.Collect(maps.Values(flags))...), nil
}

var apiServerCerts = []string{pki.APIServer, pki.APIServerEtcdClient, pki.APIServerKubeletClient, pki.FrontProxyClient}

// apiServerFiles are the documents that it reads at its start.
func apiServerFiles(ctx Context) ([]workload.File, error) {
	at := ctx.Layout.APIServer
	if len(ctx.EtcdMembers) == 0 {
		return nil, fmt.Errorf("kube-apiserver of %s: no etcd member to connect to; bring up etcd first", ctx.Self.Name)
	}
	audit, err := Render(auditPolicy())
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", at.AuditPolicy, err)
	}
	authentication, err := Render(healthOnly())
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", at.Authentication, err)
	}
	files := []workload.File{
		{File: host.File{Path: at.AuditPolicy, Content: audit}},
		{File: host.File{Path: at.Authentication, Content: authentication}},
	}
	if ctx.Spec.Hardened() {
		config, err := podSecurity(ctx.Spec.Security)
		if err != nil {
			return nil, err
		}
		admission, err := Render(config)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", at.Admission, err)
		}
		files = append(files, workload.File{File: host.File{Path: at.Admission, Content: admission}})
	}
	return files, nil
}

// apiServerFlags are checked against v1.36's options (cmd/kube-apiserver,
// k8s.io/apiserver/pkg/server/options); none is deprecated there.
func apiServerFlags(ctx Context) map[string]string {
	flags := apiServerDefaults(ctx)
	if ctx.Spec.Hardened() {
		flags["admission-control-config-file"] = ctx.Layout.APIServer.Admission
		flags["enable-admission-plugins"] += ",DenyServiceExternalIPs"
		flags["tls-cipher-suites"] = strings.Join(strongCiphers, ",")
	}
	return flags
}

func apiServerDefaults(ctx Context) map[string]string {
	at := ctx.Layout
	return map[string]string{
		"advertise-address": ctx.Self.Address,
		"bind-address":      ctx.anyAddress(),
		"secure-port":       at.APIServer.Port,
		"allow-privileged":  "true",

		"etcd-servers":  etcdServers(ctx),
		"etcd-cafile":   at.PKI.EtcdCA.Cert,
		"etcd-certfile": at.PKI.Leaf(pki.APIServerEtcdClient).Cert,
		"etcd-keyfile":  at.PKI.Leaf(pki.APIServerEtcdClient).Key,

		"encryption-provider-config":                  at.PKI.Encryption,
		"encryption-provider-config-automatic-reload": "true",

		"tls-cert-file":        at.PKI.Leaf(pki.APIServer).Cert,
		"tls-private-key-file": at.PKI.Leaf(pki.APIServer).Key,
		"tls-min-version":      "VersionTLS12",
		"client-ca-file":       at.PKI.CA.Cert,

		"kubelet-certificate-authority":   at.PKI.CA.Cert,
		"kubelet-client-certificate":      at.PKI.Leaf(pki.APIServerKubeletClient).Cert,
		"kubelet-client-key":              at.PKI.Leaf(pki.APIServerKubeletClient).Key,
		"kubelet-preferred-address-types": "InternalIP,Hostname",
		"kubelet-timeout":                 "10s",

		// Aggregation. Routing goes to endpoints, so that it also works on a
		// control plane without kube-proxy.
		"enable-aggregator-routing":          "true",
		"proxy-client-cert-file":             at.PKI.Leaf(pki.FrontProxyClient).Cert,
		"proxy-client-key-file":              at.PKI.Leaf(pki.FrontProxyClient).Key,
		"requestheader-allowed-names":        pki.FrontProxyUser,
		"requestheader-client-ca-file":       at.PKI.FrontProxyCA.Cert,
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
		"requestheader-group-headers":        "X-Remote-Group",
		"requestheader-username-headers":     "X-Remote-User",

		"authentication-config":       at.APIServer.Authentication,
		"authorization-mode":          "Node,RBAC",
		"enable-admission-plugins":    "NodeRestriction",
		"enable-bootstrap-token-auth": "true",

		// Tokens of pods end when they say so, not a year later.
		"service-account-extend-token-expiration": "false",

		"service-account-issuer":           ctx.Issuer(),
		"service-account-key-file":         at.PKI.SAPub,
		"service-account-signing-key-file": at.PKI.SAKey,
		"service-cluster-ip-range":         ctx.Spec.Network.ServiceCIDR,
		"service-node-port-range":          ctx.Spec.Network.NodePortRange,

		"audit-policy-file":          at.APIServer.AuditPolicy,
		"audit-log-path":             at.APIServer.AuditLog,
		"audit-log-maxage":           "30", // CIS Kubernetes benchmark, 1.2.17 and 1.2.18
		"audit-log-maxbackup":        "10",
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

// afterWay: the way to etcd is there first, and goes last when the host stops.
func afterWay(ctx Context) []string {
	if !ctx.Builtin() {
		return nil
	}
	return []string{ctx.Layout.Service(model.Balancer)}
}

// etcdServers are all members, a member on this host first; or the host's way
// to etcd, which never changes.
func etcdServers(ctx Context) string {
	if ctx.Builtin() {
		return "https://" + net.JoinHostPort("127.0.0.1", ctx.Layout.Balancer.EtcdPort)
	}
	var own, others []string
	for _, m := range ctx.EtcdMembers {
		if m.Name == ctx.Self.Name {
			own = append(own, ctx.Layout.Etcd.ClientURL(m.Address))
		} else {
			others = append(others, ctx.Layout.Etcd.ClientURL(m.Address))
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
