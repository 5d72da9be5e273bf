package model

import (
	"fmt"
	"maps"
	"slices"
)

// HostID is a host's name in the cluster file.
type HostID string

// Role is what a host does in the cluster, as a set of bits.
type Role uint8

// The roles of the cluster file.
const (
	ControlPlane Role = 1 << iota
	Worker
	EtcdHost         // runs an etcd member: each control plane when stacked
	LoadBalancerHost // runs what stands in front of the API servers
)

// Has says whether all of r are in the set.
func (s Role) Has(r Role) bool { return s&r == r }

// Node says whether a host with these roles is a Kubernetes node.
func (s Role) Node() bool { return s&(ControlPlane|Worker) != 0 }

// Component is one of the services that quorate runs on hosts.
type Component uint8

// The services, in the order in which a host gets them.
const (
	Containerd Component = iota
	Etcd
	APIServer
	ControllerManager
	Scheduler
	FrontDoor // nginx
	Balancer  // quorate-lb
	HAProxy
	Keepalived // holds the virtual address
	PodNetwork
	Kubelet
	KubeProxy
	NumComponents
)

var componentNames = [NumComponents]string{
	"containerd", "etcd", "kube-apiserver", "kube-controller-manager",
	"kube-scheduler", "front-door", "quorate-lb", "haproxy", "keepalived", "pod-network", "kubelet", "kube-proxy",
}

// String is the name by which people know the component, whatever runs it.
func (s Component) String() string { return componentNames[s] }

// ComponentState is the state of one service on one host. "" is known absence: no file
// of it on the disk, no process of it running.
type ComponentState struct {
	Disk    Known[string] // digest of unit and files on the disk
	Running Known[string] // digest of what the running process has read
	// Version of the program that runs, or of the definition while it does not;
	// "": nobody tells, or it is none that quorate brings.
	Version string
	Pod     bool // the kubelet runs it, as a static pod
}

// Keys says which of the cluster's keys a host holds, as a relation to the
// cluster's identity, never as values.
type Keys uint8

// The states of a host's keys.
const (
	NoKeys      Keys = iota
	PublicKeys       // the CA certificate only
	SharedKeys       // all CA keys, the service-account and the encryption key
	PartialKeys      // some of them: an interrupted copy
	OtherKeys        // of another cluster, or not ours
)

func (k Keys) String() string {
	return [...]string{"none", "public", "shared", "partial", "other"}[k]
}

// Member is what etcd's member list says of a host.
type Member uint8

// The states of a member.
const (
	NoMember  Member = iota
	Unstarted        // listed as voter, never started
	Learner
	Voter
)

func (m Member) String() string {
	return [...]string{"none", "unstarted", "learner", "voter"}[m]
}

// EtcdState is a host's part in etcd.
type EtcdState struct {
	Data         Known[bool]   // there is a data directory
	Bootstrapped Known[bool]   // this host knows that the cluster's etcd exists: it was ready here once, or the host was marked as joining
	Member       Known[Member] // by the member list of those who have quorum
	Healthy      Known[bool]   // this member serves (a learner: it is caught up)
	DataLost     bool          // its data was seen to be none with which it can go on
	Fenced       HostSet       // hosts that this member has nothing to do with since a recovery
	Superseded   Set[string]   // ids of superseded clusters that this host knows
	Recovery     RecoveryState // a recovery whose survivor this host is
}

// NodeState is a host as the API server knows it.
type NodeState struct {
	Registered Known[bool]
	Ready      Known[bool]
	Configured Known[bool] // pod CIDR and labels are as wanted, and quorate has not cordoned it
	Drained    Known[bool] // quorate has cordoned it, and its pods have moved away
}

// Host is all that matters about one machine. It is comparable: equality of
// two hosts is ==.
type Host struct {
	Roles   Role
	Address string // internal address
	PodCIDR string

	Reached      Known[bool]        // it answered
	Obstacle     Known[string]      // what forbids to touch it; "" is nothing
	LeftOut      string             // why nothing is done on it although it answers; the rest goes on
	Packages     Known[Set[string]] // those missing, by the command that they bring
	System       Known[Installed]   // OS settings
	Binaries     Known[string]      // digest of the installed set
	Images       Known[Set[string]] // the wanted images that are there
	Keys         Known[Keys]
	Certs        Known[Installed] // leaf certificates, by what they must be
	Components   [NumComponents]ComponentState
	Etcd         EtcdState
	Ready        Known[bool]    // its API server's /readyz
	ServesName   Known[bool]    // the certificate that its API server shows is good for the endpoint's name
	EndpointUp   Known[bool]    // an API server answered at the endpoint, tried from here; only where the balancer is somebody else's
	Named        Known[WayKind] // where its hosts file leads the endpoint's name: LocalBalancer, SharedAddress; NoWay leaves it to others
	AdminServer  Known[string]  // the server that its admin.conf names; "": it has none
	ProxyServer  Known[string]  // where its kube-proxy, a pod, is connected to, as host:port; "": none runs
	Via          Known[Way]     // how its kubelet reaches API servers; NoWay while that does not run
	EtcdVia      Known[Way]     // how its API server reaches etcd; NoWay while that does not run
	Backends     Known[HostSet] // API servers behind the load balancer that it runs
	EtcdBackends Known[HostSet] // etcd members behind its front door
	VIPHeld      Known[bool]    // it may hold the virtual address, and a host that may does hold it, or none can yet
	Router       Known[bool]    // its quorate-lb takes part in the virtual address
	EtcdStale    bool           // its front door takes only members of an etcd cluster that was superseded
	EtcdSilent   Known[HostSet] // hosts whose etcd does not answer it; asked only where something does not serve
	Node         NodeState
	Clean        Known[bool] // nothing of quorate is left on it
	Departed     Known[bool] // the cluster remembers it as a host that left the file
	Marked       Known[bool] // it bears the cluster's mark; asked in an adopted cluster only
	Found        bool        // others have set it up; of one that does not answer, by its name
}

// Cluster is all that matters about a control plane, as a value.
type Cluster struct {
	Name  string
	Hosts map[HostID]Host
	// CAsCreated says that the cluster's keys exist somewhere.
	CAsCreated Known[bool]
	// Conflict names what makes the hosts disagree about which cluster this is.
	Conflict string
	// Addons are the applied cluster objects, by name of their group.
	Addons    map[string]Known[Installed]
	Published Published
	// KeepKeys is wanted beside the file: hosts that leave keep their copies of
	// the cluster's keys and data.
	KeepKeys bool
	// Adopted says that others have made the cluster: what marks it as quorate's
	// comes with the first change only.
	Adopted bool
	// Recovery and its Survivor are wanted beside what the file wants.
	Recovery Recovery
	Survivor HostID

	// critical are the hosts whose loss can matter to others, sorted.
	critical []HostID
	// scratch is where Edit changes a host. It is shared as Hosts is, and nil
	// while it is in use.
	scratch *Host
	// frozen is nil once the cluster has changed.
	frozen *frozen
}

// New makes a cluster without hosts.
func New(name string) Cluster {
	return Cluster{Name: name, Hosts: map[HostID]Host{}, Addons: map[string]Known[Installed]{}}
}

// Put adds or replaces a host.
func (c *Cluster) Put(id HostID, h Host) {
	c.Hosts[id], c.frozen = h, nil
	if h.Roles&(ControlPlane|EtcdHost|LoadBalancerHost) != 0 || h.Etcd.Member.Not(NoMember) || h.runs(APIServer) || h.Carries() {
		c.addCritical(id)
	}
	for _, w := range [...]Way{h.Via.Or(Way{}), h.EtcdVia.Or(Way{})} {
		for _, carrier := range w.Carriers.List() {
			c.addCritical(carrier)
		}
	}
}

func (c *Cluster) addCritical(id HostID) {
	if i, found := slices.BinarySearch(c.critical, id); !found {
		// Never in place: clones share it.
		c.critical = slices.Concat(c.critical[:i], []HostID{id}, c.critical[i:])
	}
}

// Clone copies the value.
func (c Cluster) Clone() Cluster {
	c.Hosts = maps.Clone(c.Hosts)
	c.Addons = maps.Clone(c.Addons)
	c.scratch, c.frozen = nil, nil
	return c
}

// Try makes a change to some hosts and to the facts of the whole cluster, looks,
// and takes it back: Clone without the cost. A change must not write into
// Addons in place.
func (c *Cluster) Try(change func(*Cluster), look func(), ids ...HostID) {
	was := *c
	if len(ids) == 1 { // the common case, without memory of its own
		h, there := c.Hosts[ids[0]]
		change(c)
		look()
		was.scratch = c.scratch
		*c = was
		c.restore(ids[0], h, there)
		return
	}
	hosts, there := make([]Host, len(ids)), make([]bool, len(ids))
	for i, id := range ids {
		hosts[i], there[i] = c.Hosts[id]
	}
	change(c)
	look()
	was.scratch = c.scratch
	*c = was
	for i, id := range ids {
		c.restore(id, hosts[i], there[i])
	}
}

func (c *Cluster) restore(id HostID, h Host, there bool) {
	if there {
		c.Hosts[id] = h
	} else {
		delete(c.Hosts, id)
	}
}

// Only is the cluster with one host alone: all that a step on that host may
// read and write in its Effect.
func (c Cluster) Only(id HostID) Cluster {
	one := c
	one.Hosts = map[HostID]Host{}
	one.Addons = maps.Clone(c.Addons)
	one.critical, one.scratch, one.frozen = nil, nil, nil
	if h, ok := c.Hosts[id]; ok {
		one.Put(id, h)
	}
	return one
}

// Equal compares all that is observed, reasons included.
func (c Cluster) Equal(o Cluster) bool {
	return c.Name == o.Name && c.CAsCreated == o.CAsCreated && c.Conflict == o.Conflict && c.Published == o.Published &&
		maps.Equal(c.Hosts, o.Hosts) && maps.Equal(c.Addons, o.Addons)
}

// Edit changes one host of the cluster. The pointer is good during the call only.
func (c *Cluster) Edit(id HostID, change func(*Host)) {
	h := c.scratch
	if c.scratch = nil; h == nil {
		h = new(Host) // once a plan, which edits hosts by the thousand
	}
	*h = c.Hosts[id]
	change(h)
	c.Put(id, *h)
	c.scratch = h
}

// IDs are the hosts' names, sorted.
func (c Cluster) IDs() []HostID { return slices.Sorted(maps.Keys(c.Hosts)) }

// Critical are the hosts whose loss can matter to others, sorted.
func (c Cluster) Critical() []HostID { return c.critical }

// IsCritical says whether a host's loss can matter to others.
func (c Cluster) IsCritical(id HostID) bool {
	_, found := slices.BinarySearch(c.critical, id)
	return found
}

// Doors are the components that can be a host's front door.
var Doors = []Component{FrontDoor, Balancer}

// Balancers are the components that may listen on the endpoint's port.
var Balancers = append([]Component{HAProxy}, Doors...)

// HasDoor says that a load balancer of the host's own runs.
func (h *Host) HasDoor() bool { return slices.ContainsFunc(Doors, h.runs) }

// Carries says that the host can hold the virtual address of the cluster's own
// load balancers, and balances what arrives there.
func (h *Host) Carries() bool { return h.Shares() && h.VIPHeld.Is(true) }

// Shares says that the host takes part in the virtual address, whether or not one
// holds that now.
func (h *Host) Shares() bool {
	return h.runs(HAProxy) && h.runs(Keepalived) || h.runs(Balancer) && h.Router.Is(true)
}

// Up says whether the host answered.
func (h Host) Up() bool { return h.Reached.Is(true) }

func (h *Host) runs(s Component) bool { return h.Components[s].Running.Not("") }

// Runs says whether a service is known to run.
func (h *Host) Runs(s Component) bool { return h.runs(s) }

// String is the host in one line, for test failures.
func (h Host) String() string {
	return fmt.Sprintf("%+v", struct {
		Reached Known[bool]
		Etcd    EtcdState
		Keys    Known[Keys]
	}{h.Reached, h.Etcd, h.Keys})
}
