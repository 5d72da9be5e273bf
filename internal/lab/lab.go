package lab

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// Options say what lab to make.
type Options struct {
	Name          string
	ControlPlanes int
	Workers       int
	Etcd          int
	LoadBalancers int
	Dir           string       // where NAME.yaml, NAME.key and NAME.known_hosts are written; default: the working directory
	Seed          string       // artefact store, shown to the hosts read-only at SeedPath; empty: none
	Progress      func(string) // one line of progress; may be nil
}

// SeedPath is where the hosts see the folder Options.Seed.
const SeedPath = "/usr/share/quorate/store"

// The roles of lab hosts. All but RoleLoadBalancer are roles of the cluster
// file too.
const (
	RoleControlPlane = "control-plane"
	RoleWorker       = "worker"
	RoleEtcd         = "etcd"
	RoleLoadBalancer = "load-balancer"
)

// Lab is a lab that exists on this machine.
type Lab struct {
	Name    string    `json:"name"`
	Subnet  int       `json:"subnet"` // N of 10.77.N.0/24
	Hosts   []Host    `json:"hosts"`
	Image   string    `json:"image"` // the folder all hosts' file systems start from
	Seed    string    `json:"seed,omitempty"`
	File    string    `json:"file"` // the cluster file
	FileSum string    `json:"fileSum,omitempty"`
	KeyFile string    `json:"keyFile"` // SSH key of root on every host
	Known   string    `json:"knownHosts"`
	Created time.Time `json:"created"`
	Phase   string    `json:"phase"` // starting, up or stopping
}

// The phases of a lab. A lab found starting or stopping while nobody holds its
// lock is what a killed command left behind.
const (
	phaseStarting = "starting"
	phaseUp       = "up"
	phaseStopping = "stopping"
)

// Host is one host of a lab.
type Host struct {
	Name    string     `json:"name"` // cp1; the hostname inside
	Role    string     `json:"role"`
	Address netip.Addr `json:"address"`
}

// Status is what can be seen of a host from outside.
type Status struct {
	Host    Host
	Running bool
	Cut     bool  // all its packets are dropped
	Ports   []int // from and to these, its TCP packets are
}

// stateRoot holds one folder for each lab. It must be on a file system that
// overlays can be stacked upon.
var stateRoot = "/var/lib/quorate-lab"

// Host finds a host by name.
func (l *Lab) Host(name string) (Host, error) {
	var names []string
	for _, h := range l.Hosts {
		if h.Name == name {
			return h, nil
		}
		names = append(names, h.Name)
	}
	return Host{}, fmt.Errorf("lab %s has no host %q; it has %s", l.Name, name, strings.Join(names, ", "))
}

// Gateway is the machine's own address in the lab.
func (l *Lab) Gateway() netip.Addr { return addressIn(l.Subnet, 1) }

// Prefix is the lab's subnet.
func (l *Lab) Prefix() netip.Prefix { return subnetPrefix(l.Subnet) }

// ConsoleLog is the file with what a host printed on its console.
func (l *Lab) ConsoleLog(host string) string { return filepath.Join(l.hostDir(host), "console.log") }

func (l *Lab) dir() string                { return filepath.Join(stateRoot, l.Name) }
func (l *Lab) hostDir(host string) string { return filepath.Join(l.dir(), "hosts", host) }

func (o Options) say(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}
