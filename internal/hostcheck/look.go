package hostcheck

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
)

//go:embed look.sh
var lookText string

//go:embed reach.sh
var reachText string

// lookTimeout bounds the look at one host.
const lookTimeout = 30 * time.Second

// mostPeers is how many connections a host tries: those of a large cluster to all
// others would take long, and the first tell enough.
const mostPeers = 100

// Host is what was seen of one host. Zero and "" are unknown.
type Host struct {
	Host        model.HostID `json:"host"`
	Reached     bool         `json:"reached"`
	Why         string       `json:"why,omitempty"` // why not
	CPUs        int          `json:"cpus"`
	MemoryBytes int64        `json:"memoryBytes"`
	Hostname    string       `json:"hostname"`
	Interface   string       `json:"interface"` // that has its address
	MAC         string       `json:"mac"`
	MTU         int          `json:"mtu"`
	ProductUUID string       `json:"productUUID,omitempty"` // none in a container
	Routes      []string     `json:"defaultRoutes"`         // interfaces
	FsyncMicros int64        `json:"fsyncMicroseconds"`     // a write of etcd's size, until it is on the disk
	Space       []Space      `json:"space"`

	nameservers, lacks, runtimes, firewalls []string
	bridge, installer, selinux, readonly    string
}

// Space is the file system below a folder.
type Space struct {
	Path       string `json:"path"`
	FreeBytes  int64  `json:"freeBytes"`
	SizeBytes  int64  `json:"sizeBytes"`
	FreeInodes int64  `json:"freeInodes"`
	Inodes     int64  `json:"inodes"`
}

// sockets are those of container runtimes other than quorate's, by kubeadm's list
// (cmd/kubeadm/app/constants: CRISocketCRIO, CRISocketDocker). Another containerd on
// quorate's socket blocks a plan.
const sockets = "/var/run/crio/crio.sock /var/run/cri-dockerd.sock"

func look(ctx context.Context, t Target, o Options) Host {
	away := Host{Host: t.ID, Why: t.Away, Routes: []string{}, Space: []Space{}}
	if t.Away != "" {
		return away
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	at, etcd, measure, resolv := o.Layout, "", "", "/etc/resolv.conf"
	if t.Roles.Has(model.EtcdHost) {
		etcd = at.Etcd.Data
	}
	if o.Measure {
		measure = "yes"
	}
	if o.Resolv != nil && o.Resolv(t.ID) != "" {
		resolv = o.Resolv(t.ID)
	}
	vars := fmt.Sprintf("ADDRESS='%s' DATA='%s %s' ETCD='%s' MEASURE='%s' RESOLV='%s' SOCKETS='%s'\n", t.Address, at.Containerd.Root,
		at.Kubelet.Root, etcd, measure, resolv, sockets)
	a, err := host.Ask(ctx, t.Host, host.Script{What: "check the host", Text: vars + lookText})
	if err != nil {
		away.Why = err.Error()
		return away
	}
	return read(t.ID, a)
}

// read takes an answer apart.
func read(id model.HostID, a host.Answer) Host {
	h := Host{Host: id, Reached: true, Hostname: a.Text("hostname"), Routes: strings.Fields(a.Text("route")), Space: []Space{},
		nameservers: strings.Fields(a.Text("resolv")), lacks: strings.Fields(a.Text("lacks")), runtimes: strings.Fields(a.Text("runtimes")),
		firewalls: strings.Fields(a.Text("active")), bridge: a.Text("bridge"), installer: a.Text("installer"), selinux: a.Text("selinux"),
		readonly: a.Text("readonly")}
	h.CPUs, _ = strconv.Atoi(a.Text("cpus"))
	if c := a.Text("container"); c == "" || c == "none" {
		h.ProductUUID = strings.ToLower(a.Text("uuid"))
	}
	if kib, err := strconv.ParseInt(a.Text("memory"), 10, 64); err == nil {
		h.MemoryBytes = kib << 10
	}
	if nanos, err := strconv.ParseInt(a.Text("fsync"), 10, 64); err == nil {
		h.FsyncMicros = nanos / 1000
	}
	if l := strings.Fields(a.Text("link")); len(l) == 3 {
		h.Interface, h.MAC = l[0], l[1]
		h.MTU, _ = strconv.Atoi(l[2])
	}
	for line := range strings.Lines(a.Text("space")) {
		var s Space
		var block, free, size int64
		if n, _ := fmt.Sscan(line, &s.Path, &block, &free, &size, &s.FreeInodes, &s.Inodes); n == 6 {
			s.FreeBytes, s.SizeBytes = free*block, size*block
			h.Space = append(h.Space, s)
		}
	}
	return h
}

// peers are the ports of other hosts that a host must reach, as ADDRESS:PORT; of
// pairs with a new host, when there is any.
func peers(t Target, all []Target, anyNew bool, o Options) (out []string) {
	for _, p := range all {
		if p.ID == t.ID || anyNew && !p.New && !t.New {
			continue
		}
		var ports []string
		if p.Roles.Has(model.ControlPlane) && t.Roles.Node() {
			ports = append(ports, o.Layout.APIServer.Port)
		}
		if p.Roles.Has(model.EtcdHost) && t.Roles.Has(model.EtcdHost) {
			ports = append(ports, o.Layout.Etcd.PeerPort)
		}
		if p.Roles.Has(model.EtcdHost) && (t.Roles.Has(model.EtcdHost) || t.Roles.Has(model.ControlPlane)) {
			ports = append(ports, o.Layout.Etcd.ClientPort)
		}
		if p.Roles.Node() && t.Roles.Has(model.ControlPlane) {
			ports = append(ports, o.Layout.Kubelet.Port)
		}
		for _, port := range ports {
			out = append(out, p.Address+":"+port)
		}
	}
	return out[:min(len(out), mostPeers)]
}

// reach is which peers say nothing; nil also when the host has no means to try.
func reach(ctx context.Context, t Target, peers []string) ([]string, error) {
	if len(peers) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	a, err := host.Ask(ctx, t.Host, host.Script{What: "connect to other hosts",
		Text: "PEERS='" + strings.Join(peers, " ") + "'\n" + reachText})
	if err != nil {
		return nil, err
	}
	if a.Text("tried") != "yes" {
		return nil, errors.New("it has no bash")
	}
	return strings.Fields(a.Text("silent")), nil
}
