// Package layout says where everything of a cluster lies on its hosts: paths,
// ports and unit names. A flavour is a value of Layout; everybody who renders,
// probes, starts or cleans takes the value instead of knowing a path.
//
// It knows neither what the files hold (package component) nor how a component
// runs (package workload), and reaches no host.
package layout

import (
	"net"
	"path"
	"strings"

	"quorate.dev/quorate/internal/model"
)

// Layout is where a cluster's components, and quorate's own files, lie on a
// host. All paths are absolute and hold no blank, quote or other character that
// a shell or systemd reads in its own way; see Validate.
type Layout struct {
	Own Own
	Bin string // the folder of the programs of components
	// Commands is a folder on everybody's path, with links to programs that people
	// call by hand.
	Commands string
	// Kubeadm says that the control plane is laid out and written by kubeadm.
	Kubeadm bool
	CNI     CNI
	PKI     PKI
	Etcd    Etcd

	Kubernetes string // the folder of configuration that holds the keys, too

	APIServer         APIServer
	ControllerManager ControllerManager
	Scheduler         Scheduler
	FrontDoor         FrontDoor
	Balancer          Balancer
	HAProxy           HAProxy
	Keepalived        Keepalived
	PodNetwork        PodNetwork
	Containerd        Containerd
	Kubelet           Kubelet
	KubeProxy         KubeProxy

	// DoorUser is the system user of the hosts' own load balancers: addresses are
	// shared only between processes of one user, and they change places.
	DoorUser string

	UnitDir string // where unit files lie
	Units   [model.NumComponents]string
	// Foreign are the paths by which another installer's cluster is known.
	Foreign []string
}

// Own is what quorate itself keeps on a host. It is the same in every flavour.
type Own struct {
	Config       string // its folder of configuration and marks
	Marker       string // names the cluster that the host belongs to
	Superseded   string // lists ids of superseded etcd clusters, one a line
	Bootstrapped string // an etcd has been ready on this host once
	Fence        string // nftables script that keeps hosts out of this one's etcd
	Unfenced     string // a fence was tried, and the host can put up none
	Recovery     string // a recovery of etcd whose survivor the host is

	Programs  string // its folder of programs
	Versions  string // of links that name a program and its version
	State     string // its folder of state that outlives a reboot
	Kept      string // what was replaced or set aside
	Snapshots string // of etcd
	Restore   string // the snapshot that is to be restored
	Store     string // programs and images by content
	Seed      string // a store that somebody else put there

	Run   string // locks, and what its own units read and print
	Stage string // files that are checked before they take effect

	Modules string // kernel modules to load at boot
	Sysctls string
	Crictl  string // configuration of crictl
}

// Pair is a certificate with its key.
type Pair struct{ Cert, Key string }

// PKI is where keys and certificates lie.
type PKI struct {
	Dir                      string
	CA, EtcdCA, FrontProxyCA Pair
	SAKey, SAPub             string // the service-account key, and its public half
	Encryption               string // the API server's encryption configuration
	Conf                     string // the folder of kubeconfigs that hold their certificate
	// Unencrypted says that the cluster does not encrypt secrets: there is no such
	// configuration.
	Unencrypted bool
}

// EtcdDir is the folder of etcd's part of the keys.
func (p PKI) EtcdDir() string { return path.Dir(p.EtcdCA.Cert) }

// Leaf is where the certificate of a name lies (the names are package pki's).
// The names that kubeadm has, too, lie at kubeadm's paths.
func (p PKI) Leaf(name string) Pair {
	base := path.Join(p.Dir, name)
	if rest, ok := strings.CutPrefix(name, "etcd-"); ok {
		base = path.Join(p.EtcdDir(), rest)
	}
	return Pair{Cert: base + ".crt", Key: base + ".key"}
}

// ConfFile is where the kubeconfig of a name lies that holds its certificate.
func (p PKI) ConfFile(name string) string { return path.Join(p.Conf, name+".conf") }

// CNI is where the runtime finds network plugins.
type CNI struct {
	Bin   string
	Conf  string
	State string // what the plugins remember
}

// Etcd is where a member lies, and the ports it listens on.
type Etcd struct {
	Data      string // its data folder; the log is inside, in member/wal
	Initial   string // environment with the initial member list
	Bootstrap string // overrides Initial for one start; a reboot takes it away

	ClientPort, PeerPort, MetricsPort string
}

// Member is the folder inside Data that a member makes.
func (e Etcd) Member() string { return e.Data + "/member" }

// ClientURL is where the member at an address serves clients.
func (e Etcd) ClientURL(address string) string { return https(address, e.ClientPort) }

// PeerURL is where the member at an address serves its peers.
func (e Etcd) PeerURL(address string) string { return https(address, e.PeerPort) }

// APIServer is where an API server's files lie, and its port.
type APIServer struct {
	AuditPolicy, AuditLog, Authentication string
	Admission                             string // configuration of admission plugins
	Logs                                  string // the folder of AuditLog, all its own
	Run                                   string // its own folder of what a reboot takes away
	Port                                  string
}

// URL is where the API server at an address serves.
func (a APIServer) URL(address string) string { return https(address, a.Port) }

// ControllerManager is where a controller-manager's files lie, and its port.
type ControllerManager struct{ Kubeconfig, Port string }

// Scheduler is where a scheduler's files lie, and its port.
type Scheduler struct{ Kubeconfig, Config, Port string }

// FrontDoor is where the node-local load balancer's files lie, and the port on
// loopback that tells its health.
type FrontDoor struct {
	Program  string
	Stream   string // its stream module
	Stream64 string // the same on distributions with /usr/lib64 (those with dnf)
	Config   string
	State    string // of earlier builds; a host that leaves is rid of it
	Run      string

	HealthPort string
}

// Balancer is where quorate-lb's files lie (Leaving names the backends that leave
// its ways for a while), and its ports on loopback: the one that tells its
// health, and the one where it leads an API server to etcd.
type Balancer struct{ Config, Leaving, HealthPort, EtcdPort string }

// HAProxy is where the files of a HAProxy lie, and its port on loopback that tells
// its health.
type HAProxy struct {
	Program string
	Config  string
	Login   string // environment with the login of the statistics page
	Run     string

	HealthPort string
}

// Keepalived is where the files of a Keepalived lie.
type Keepalived struct {
	Program string
	Config  string
	Run     string
	Applied string // the digest of what it has read last
}

// PodNetwork is where the files of quorate's own pod network lie.
type PodNetwork struct {
	Conflist   string
	Routes     string
	Masquerade string
	Run        string
	Applied    string // a copy of Routes as last applied
}

// Containerd is where the container runtime's files lie.
type Containerd struct {
	Config, Socket string
	Root, State    string // what outlives a reboot, and what does not
	Opt            string // where it expects programs of its own
}

// Kubelet is where a kubelet's files lie, and its ports.
type Kubelet struct {
	Root       string
	Config     string
	Flags      string // environment with the flags that are the host's own, as kubeadm writes it
	Instance   string // what of the configuration is the host's own, for kubeadm
	Kubeconfig string
	Bootstrap  string // the kubeconfig by which it asks for its first certificate
	ClientPEM  string // the link it keeps on its newest client certificate
	Manifests  string // static pods
	Patches    string // of manifests that kubeadm writes
	PodLogs    string // logs of containers by pod
	Logs       string // links to them by container
	Plugins    string // volume plugins
	Port       string
	HealthPort string
}

// KubeProxy is where a kube-proxy's files lie, and its ports.
type KubeProxy struct{ Root, Config, Kubeconfig, HealthPort, MetricsPort string }

// Unit is the name of a component's unit, without ".service".
func (l Layout) Unit(c model.Component) string { return l.Units[c] }

// Service is the name of a component's unit.
func (l Layout) Service(c model.Component) string { return l.Units[c] + ".service" }

// UnitPath is where the file of a component's unit lies.
func (l Layout) UnitPath(c model.Component) string { return l.UnitDir + "/" + l.Service(c) }

// Program is the path of a program.
func (l Layout) Program(name string) string { return l.Bin + "/" + name }

// Ports are the TCP ports that a component listens on, but for the front door's
// own, which the cluster file names.
func (l Layout) Ports(c model.Component) []string {
	switch c {
	case model.Etcd:
		return []string{l.Etcd.ClientPort, l.Etcd.PeerPort, l.Etcd.MetricsPort}
	case model.APIServer:
		return []string{l.APIServer.Port}
	case model.ControllerManager:
		return []string{l.ControllerManager.Port}
	case model.Scheduler:
		return []string{l.Scheduler.Port}
	case model.FrontDoor:
		return []string{l.FrontDoor.HealthPort}
	case model.Balancer:
		return []string{l.Balancer.HealthPort, l.Balancer.EtcdPort}
	case model.HAProxy:
		return []string{l.HAProxy.HealthPort}
	case model.Kubelet:
		return []string{l.Kubelet.Port, l.Kubelet.HealthPort}
	case model.KubeProxy:
		return []string{l.KubeProxy.HealthPort, l.KubeProxy.MetricsPort}
	}
	return nil
}

func https(address, port string) string { return "https://" + net.JoinHostPort(address, port) }
