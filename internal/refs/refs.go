// Package refs lists what still names a host or an address that is gone from a
// cluster: in files of its hosts and of this machine, in etcd's list of members
// and in objects of the cluster. It changes nothing, and sees of files only the
// addresses and names in them. Whether a host is gone is for others to say.
package refs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Kind is the kind of place that names something.
type Kind string

// Files that an address in its own right is expected in.
const (
	FrontDoor   Kind = "load balancer"
	Kubeconfig  Kind = "kubeconfig"
	Unit        Kind = "unit"
	Manifest    Kind = "static pod"
	Certificate Kind = "certificate"
	HostsFile   Kind = "hosts file"
	Cron        Kind = "cron"
	CNI         Kind = "CNI"
	Settings    Kind = "settings" // other files under /etc
)

// Objects of the cluster.
const (
	Member    Kind = "etcd member"
	Node      Kind = "node"
	Endpoint  Kind = "endpoint"
	ConfigMap Kind = "ConfigMap"
	Secret    Kind = "Secret"
)

// Where things are that are on no host of the cluster.
const (
	InCluster = "cluster"
	Here      = "this machine"
)

// Mention is a place that names a host.
type Mention struct {
	Host  string // on which host; or InCluster, Here
	Kind  Kind
	Place string // a path, or the name of an object
	Line  int    // 0: not known
	Name  string // the host's name or address
	Port  string
	// Certain: whatever stands here should be a host of the cluster.
	Certain bool
}

// Cluster is what the judge knows of a cluster.
type Cluster struct {
	Endpoint string            // host:port of what clients should use; "" when there is none
	Live     map[string]bool   // names and addresses of its hosts, of its endpoint, and what its certificates may name beside
	Gone     map[string]string // names and addresses of hosts that are gone, and which host that was
	Ports    map[string]bool   // of API servers and etcd: an address with one of them means a host of a cluster
	Networks []netip.Prefix    // of pods and Services
	CA       []byte            // the certificate of its CA, as DER; nil: not known
	Own      map[string]bool   // files that quorate writes
}

// Ref is a stale reference.
type Ref struct {
	Host  string `json:"host"`
	Kind  Kind   `json:"kind"`
	Place string `json:"place"`
	Line  int    `json:"line"` // 0: not known
	Names string `json:"names"`
	Why   string `json:"why"`
	Fix   string `json:"fix"`
}

// Report is all that was found.
type Report struct {
	Refs     []Ref    `json:"refs"`
	More     int      `json:"more"`     // found beside the most that is listed
	NotAsked []string `json:"notAsked"` // what could not be looked at, and why
}

// most is how many references are listed.
const most = 200

// Judge says which mentions are stale. What could not be looked at is given
// beside them, and is a part of the report.
func Judge(c Cluster, mentions []Mention, notAsked []string) Report {
	r := Report{Refs: []Ref{}, NotAsked: append([]string{}, notAsked...)}
	for _, m := range mentions {
		if why := c.stale(m); why != "" {
			r.Refs = append(r.Refs, Ref{Host: m.Host, Kind: m.Kind, Place: m.Place, Line: m.Line, Names: m.named(), Why: why, Fix: c.fix(m)})
		}
	}
	slices.SortFunc(r.Refs, func(a, b Ref) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Place, b.Place), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Names, b.Names))
	})
	r.Refs = slices.Compact(r.Refs)
	if n := len(r.Refs); n > most {
		r.Refs, r.More = r.Refs[:most], n-most
	}
	return r
}

// Well says that all was looked at and nothing was found.
func (r Report) Well() bool { return len(r.Refs) == 0 && len(r.NotAsked) == 0 }

func (m Mention) named() string {
	switch {
	case m.Port == "":
		return m.Name
	case strings.Contains(m.Name, ":"):
		return "[" + m.Name + "]:" + m.Port
	}
	return m.Name + ":" + m.Port
}

// stale is why a mention is; "" when it is not, or nobody can tell.
func (c Cluster) stale(m Mention) string {
	name := strings.ToLower(strings.TrimSuffix(m.Name, "."))
	a, err := netip.ParseAddr(name)
	address := err == nil
	if address {
		a = a.Unmap()
		name = a.String()
	}
	if c.Live[name] || name == "" || name == "localhost" {
		return ""
	}
	inside := func(p netip.Prefix) bool { return p.Contains(a) }
	if address && (a.IsLoopback() || a.IsUnspecified() || slices.ContainsFunc(c.Networks, inside)) {
		return ""
	}
	host, gone := c.Gone[name]
	if !gone && !address {
		short, _, _ := strings.Cut(name, ".")
		host, gone = c.Gone[short]
		gone = gone && !c.Live[short]
	}
	switch {
	case gone && host == name:
		return "it left the cluster"
	case gone:
		return host + " left the cluster"
	case m.Certain, address && c.Ports[m.Port]:
		return "no host of the cluster has this " + map[bool]string{true: "address", false: "name"}[address]
	}
	return ""
}

// fix says what to do about a mention.
func (c Cluster) fix(m Mention) string {
	instead := "a host that stays"
	if c.Endpoint != "" {
		instead = "the endpoint (" + c.Endpoint + ")"
	}
	if c.Own[m.Place] {
		return "run quorate apply; it writes this file"
	}
	switch m.Kind {
	case Kubeconfig:
		return "write a new one with quorate kubeconfig, or set its server to " + instead
	case FrontDoor:
		return "remove this server, and reload the load balancer"
	case Unit:
		return "replace the address, then systemctl daemon-reload and restart the unit when the cluster is healthy"
	case Manifest:
		return "replace the address on one host at a time, since the kubelet restarts the pod; etcd reads --initial-cluster " +
			"only while it has no data"
	case Certificate:
		return "run quorate apply, or reissue it without this name"
	case Member:
		return "run quorate apply, which removes it; quorate etcd members shows it"
	case Node:
		return "run quorate apply; if the host will not come back, quorate forget " + m.Name
	case Endpoint:
		return "it expires by itself once no API server there renews its lease; if it stays, see that one does not run there still"
	case ConfigMap, Secret:
		namespace, name, _ := strings.Cut(m.Place, "/")
		name, _, _ = strings.Cut(name, " ")
		return fmt.Sprintf("kubectl -n %s edit %s %s: put %s in its place, then restart the pods that read it", namespace,
			strings.ToLower(string(m.Kind)), name, instead)
	case CNI:
		return "replace it by " + instead + ", then restart the pods of the network on this host"
	}
	return "remove the line, or replace it by " + instead
}
