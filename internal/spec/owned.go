package spec

import "strings"

// owned are the flags that quorate sets itself, and why a file cannot: either
// another key of the file says it, or the cluster would break.
// A line is: component: reason: flags.
var owned = parseOwned(`
etcd: quorate lays out etcd's files: data-dir wal-dir config-file
etcd: quorate decides etcd's membership: name initial-cluster initial-cluster-state initial-cluster-token force-new-cluster discovery discovery-srv discovery-endpoints
etcd: it follows from the host's internalAddress: initial-advertise-peer-urls advertise-client-urls listen-peer-urls listen-client-urls
etcd: other parts rely on it: listen-metrics-urls
etcd: quorate issues the certificates: cert-file key-file trusted-ca-file client-cert-auth peer-cert-file peer-key-file peer-trusted-ca-file peer-client-cert-auth auto-tls peer-auto-tls
kube-apiserver: quorate writes the configuration of authentication: authentication-config anonymous-auth
kube-apiserver: it follows from the hosts that run etcd: etcd-servers
kube-apiserver: quorate issues the certificates: etcd-cafile etcd-certfile etcd-keyfile tls-cert-file tls-private-key-file cert-dir client-ca-file kubelet-client-certificate kubelet-client-key kubelet-certificate-authority proxy-client-cert-file proxy-client-key-file requestheader-client-ca-file
kube-apiserver: quorate keeps the keys of service accounts alike on every host: service-account-key-file service-account-signing-key-file service-account-issuer
kube-apiserver: it follows from the host's internalAddress: advertise-address bind-address secure-port
kube-apiserver: spec.network.serviceCIDR says it: service-cluster-ip-range
kube-apiserver: spec.network.nodePortRange says it: service-node-port-range
kube-apiserver: spec.encryption says it: encryption-provider-config
kube-apiserver: spec.security says it: admission-control-config-file
kube-controller-manager: quorate writes the kubeconfig: kubeconfig authentication-kubeconfig authorization-kubeconfig master
kube-controller-manager: quorate issues the certificates: tls-cert-file tls-private-key-file cert-dir client-ca-file requestheader-client-ca-file root-ca-file cluster-signing-cert-file cluster-signing-key-file service-account-private-key-file
kube-controller-manager: one of several leads: leader-elect
kube-controller-manager: spec.network says it: cluster-cidr node-cidr-mask-size node-cidr-mask-size-ipv4 service-cluster-ip-range allocate-node-cidrs
kube-controller-manager: other parts rely on it: bind-address secure-port
kube-scheduler: quorate writes the kubeconfig: kubeconfig authentication-kubeconfig authorization-kubeconfig master
kube-scheduler: quorate writes the configuration: config
kube-scheduler: quorate issues the certificates: tls-cert-file tls-private-key-file cert-dir client-ca-file requestheader-client-ca-file
kube-scheduler: one of several leads: leader-elect
kube-scheduler: other parts rely on it: bind-address secure-port
kubelet: spec.kubeletConfiguration says it: config config-dir
kubelet: quorate writes the kubeconfig: kubeconfig bootstrap-kubeconfig
kubelet: quorate issues the certificates: cert-dir client-ca-file tls-cert-file tls-private-key-file
kubelet: the host's name says it: hostname-override
kubelet: the host's internalAddress says it: node-ip
kubelet: quorate lays out the runtime: container-runtime-endpoint root-dir
kube-proxy: spec.kubeProxyConfiguration says it: config
kube-proxy: quorate writes the kubeconfig: kubeconfig master
kube-proxy: the host's name says it: hostname-override
kube-proxy: spec.network says it: proxy-mode cluster-cidr
`)

// ownedFields are the same for the configuration types, by path.
var ownedFields = parseOwned(`
kubeletConfiguration: spec.network.serviceCIDR says it: clusterDNS
kubeletConfiguration: spec.network.dnsDomain says it: clusterDomain
kubeletConfiguration: spec.network.podCIDR says it: podCIDR
kubeletConfiguration: quorate issues the certificates: authentication.x509.clientCAFile tlsCertFile tlsPrivateKeyFile
kubeletConfiguration: quorate lays out the runtime: containerRuntimeEndpoint cgroupDriver
kubeletConfiguration: other parts rely on it: port
kubeSchedulerConfiguration: quorate writes the kubeconfig: clientConnection.kubeconfig
kubeSchedulerConfiguration: one of several leads: leaderElection.leaderElect
kubeProxyConfiguration: spec.network.proxyMode says it: mode
kubeProxyConfiguration: spec.network.podCIDR says it: clusterCIDR
kubeProxyConfiguration: the host's name says it: hostnameOverride
kubeProxyConfiguration: quorate writes the kubeconfig: clientConnection.kubeconfig
`)

// parseOwned turns the table into component → flag → reason.
func parseOwned(table string) map[string]map[string]string {
	out := map[string]map[string]string{}
	for line := range strings.Lines(strings.TrimSpace(table)) {
		component, rest, _ := strings.Cut(line, ": ")
		reason, flags, _ := strings.Cut(rest, ": ")
		if out[component] == nil {
			out[component] = map[string]string{}
		}
		for _, flag := range strings.Fields(flags) {
			out[component][flag] = reason
		}
	}
	return out
}
