package pki

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/topology"
)

// Names of the leaf certificates: what unit.Service.Certs holds.
const (
	APIServer               = "apiserver"
	APIServerEtcdClient     = "apiserver-etcd-client"
	APIServerKubeletClient  = "apiserver-kubelet-client"
	FrontProxyClient        = "front-proxy-client"
	ControllerManagerClient = "controller-manager-client"
	ControllerManagerServer = "controller-manager-server"
	SchedulerClient         = "scheduler-client"
	SchedulerServer         = "scheduler-server"
	KubeletServer           = "kubelet-server"
	KubeProxyClient         = "kube-proxy-client"
	EtcdServer              = "etcd-server"
	EtcdPeer                = "etcd-peer"
	EtcdHealthcheckClient   = "etcd-healthcheck-client"
)

// Names of kubeconfigs that hold their certificate, as kubeadm writes them.
const (
	AdminConf             = "admin"
	ControllerManagerConf = "controller-manager"
	SchedulerConf         = "scheduler"
	SuperAdminConf        = "super-admin" // by which kubeadm init works before there are rights; quorate writes none
)

// KubeadmAdmins is the group of kubeadm's admin.conf.
const KubeadmAdmins = "kubeadm:cluster-admins"

// Users that RBAC rules must name.
const (
	// KubeletClientUser is the API server towards the kubelets. It has no
	// group: bind ClusterRole system:kubelet-api-admin to it, or logs and exec
	// fail.
	KubeletClientUser = "kube-apiserver-kubelet-client"
	// FrontProxyUser is what --requestheader-allowed-names must hold.
	FrontProxyUser = "front-proxy-client"
)

// Context is what the certificates of one node need to know of the cluster.
type Context struct {
	Layout        layout.PKI
	ControlPlanes []topology.Node // all of them
	Endpoint      string          // spec.controlPlaneEndpoint, host:port
	CertSANs      []string        // more names and addresses for the API servers
	ServiceCIDR   string          // one, or two with a comma between
	DNSDomain     string          // default cluster.local
	Algorithm     string          // default ECDSA-P256
	Days          int             // default 365
	// LocalServer is the API server of the node itself, as a URL. When it is set,
	// the cluster has the certificates that kubeadm knows, and those in kubeconfigs
	// where kubeadm has them.
	LocalServer string
}

// complete says where a certificate lies and what it is made with.
func (cl Context) complete(c Cert) Cert {
	at := cl.Layout.Leaf(c.Name)
	c.Path, c.KeyPath = at.Cert, at.Key
	if c.Conf != "" {
		c.Path = cl.Layout.ConfFile(c.Name)
		c.KeyPath = c.Path
	}
	c.Algorithm, c.Days = cmp.Or(cl.Algorithm, DefaultAlgorithm), cl.Days
	return c
}

// Leaves are the certificates a node must have, by its roles: a control plane,
// any host with a kubelet, an etcd member.
func Leaves(n topology.Node, cl Context) ([]Cert, error) {
	var out []Cert
	add := func(c Cert) { out = append(out, cl.complete(c)) }
	client := func(name string, ca CA, user string, groups ...string) {
		add(Cert{Name: name, Issuer: ca, CommonName: user, Organizations: groups, Client: true})
	}
	conf := func(name, server, user string, groups ...string) {
		add(Cert{Name: name, Issuer: KubernetesCA, CommonName: user, Organizations: groups, Client: true, Conf: server})
	}
	// A server at an address of the node, and on loopback.
	server := func(name string, ca CA, cn string, alsoClient bool) {
		add(Cert{Name: name, Issuer: ca, CommonName: cn, Server: true, Client: alsoClient,
			DNS: []string{"localhost", n.Name}, IPs: []string{"127.0.0.1", n.Address}})
	}

	if n.ControlPlane {
		api, err := apiServer(n, cl)
		if err != nil {
			return nil, fmt.Errorf("certificate of the API server on %s: %w", n.Name, err)
		}
		add(api)
		client(APIServerEtcdClient, EtcdCA, "kube-apiserver-etcd-client")
		client(APIServerKubeletClient, KubernetesCA, KubeletClientUser)
		client(FrontProxyClient, FrontProxyCA, FrontProxyUser)
		if cl.LocalServer != "" {
			conf(AdminConf, "https://"+cl.Endpoint, "kubernetes-admin", KubeadmAdmins)
			conf(ControllerManagerConf, cl.LocalServer, "system:kube-controller-manager")
			conf(SchedulerConf, cl.LocalServer, "system:kube-scheduler")
		} else {
			client(ControllerManagerClient, KubernetesCA, "system:kube-controller-manager")
			client(SchedulerClient, KubernetesCA, "system:kube-scheduler")
			server(ControllerManagerServer, KubernetesCA, "kube-controller-manager", false)
			server(SchedulerServer, KubernetesCA, "kube-scheduler", false)
		}
	}
	if n.ControlPlane || n.Worker {
		// Serving only: the same subject on a client certificate would be the
		// node itself, and that one the kubelet renews by itself.
		add(Cert{Name: KubeletServer, Issuer: KubernetesCA, CommonName: "system:node:" + n.Name,
			Organizations: []string{"system:nodes"}, Server: true, DNS: []string{n.Name}, IPs: []string{n.Address}})
		if cl.LocalServer == "" { // else its pods use their service account
			client(KubeProxyClient, KubernetesCA, "system:kube-proxy")
		}
	}
	if n.Etcd {
		// A client too: etcd's own gRPC gateway dials the server with the
		// server's certificate (etcd issue 9785).
		server(EtcdServer, EtcdCA, n.Name, true)
		// Peers are checked by address on both ends (etcd: transport security
		// guide, "notes for TLS authentication").
		server(EtcdPeer, EtcdCA, n.Name, true)
		client(EtcdHealthcheckClient, EtcdCA, "kube-etcd-healthcheck-client")
	}
	return out, nil
}

// apiServer is the serving certificate of one API server. It names every
// control plane, so that a client which was given one server's address keeps
// its trust when the balancer, a name or a replaced host leads it to another.
func apiServer(n topology.Node, cl Context) (Cert, error) {
	domain := cl.DNSDomain
	if domain == "" {
		domain = "cluster.local"
	}
	c := Cert{Name: APIServer, Issuer: KubernetesCA, CommonName: "kube-apiserver", Server: true,
		DNS: []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + domain, "localhost"},
		IPs: []string{"127.0.0.1"}}
	sans := append([]string{n.Name, n.Address, hostOf(cl.Endpoint)}, cl.CertSANs...)
	for _, cp := range cl.ControlPlanes {
		sans = append(sans, cp.Name, cp.Address)
	}
	for _, cidr := range strings.Split(cl.ServiceCIDR, ",") {
		ip, err := firstAddress(cidr)
		if err != nil {
			return Cert{}, err
		}
		sans = append(sans, ip)
	}
	return c.WithSANs(sans...), nil
}

// hostOf is the host of host:port, or the whole when there is no port.
func hostOf(endpoint string) string {
	if h, _, err := net.SplitHostPort(endpoint); err == nil {
		return h
	}
	return strings.Trim(endpoint, "[]")
}

// firstAddress is the service address of the API: the first of the range.
func firstAddress(cidr string) (string, error) {
	p, err := netip.ParsePrefix(strings.TrimSpace(cidr))
	if err != nil {
		return "", fmt.Errorf("service range %q is no CIDR: correct spec.network.serviceCIDR", cidr)
	}
	return p.Masked().Addr().Next().String(), nil
}
