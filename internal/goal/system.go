package goal

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// Arch is the processor the artefacts are for.
const Arch = "amd64"

// HostsPath holds a block of quorate's; its digest stands under this name.
const HostsPath = "/etc/hosts"

// System is what quorate sets on a host beside the services.
type System struct {
	Files      []host.File
	Modules    []string
	Sysctls    map[string]string
	HostsBlock string
}

func system(ctx component.Context) (System, error) {
	s := System{
		Modules:    []string{"br_netfilter", "overlay"},
		Sysctls:    map[string]string{"net.ipv4.ip_forward": "1", "net.bridge.bridge-nf-call-iptables": "1"},
		HostsBlock: topology.HostsBlock(ctx.Spec.ControlPlaneEndpoint, ctx.EndpointLeadsTo(), ctx.Nodes),
	}
	if n := ctx.Self; n.LoadBalancer { // it is no node
		s.Modules, s.Sysctls = nil, nil
	}
	var sysctls []string
	for _, k := range slices.Sorted(maps.Keys(s.Sysctls)) {
		sysctls = append(sysctls, k+" = "+s.Sysctls[k])
	}
	const head = "# Written by quorate; changes are overwritten.\n"
	text := func(p string, lines []string) host.File {
		return host.File{Path: p, Content: []byte(head + strings.Join(lines, "\n") + "\n"), Mode: 0o644}
	}
	at, socket := ctx.Layout.Own, "unix://"+ctx.Layout.Containerd.Socket
	s.Files = []host.File{
		{Path: at.Marker, Content: []byte(ctx.Cluster + "\n"), Mode: 0o644},
		text(at.Modules, s.Modules),
		text(at.Sysctls, sysctls),
	}
	if !ctx.Self.LoadBalancer {
		s.Files = append(s.Files, text(at.Crictl, []string{"runtime-endpoint: " + socket, "image-endpoint: " + socket}))
	}
	return s, nil
}

// Sums are the digests of all that System writes, by path.
func (s System) Sums() map[string]string {
	out := map[string]string{HostsPath: Sum([]byte(s.HostsBlock))}
	for _, f := range s.Files {
		out[f.Path] = Sum(f.Content)
	}
	return out
}

// Digest is the fact by which a host's settings are compared.
func (s System) Digest() string { return workload.DiskDigest(s.Sums()) }

// Sum is a SHA-256 in hex.
func Sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

var cniPlugins = []string{"bridge", "loopback", "host-local", "portmap", "firewall", "ptp"}

var everywhere = []string{"kubectl", "crictl", "kubelet", "kube-proxy", "containerd", "containerd-shim-runc-v2", "ctr", "runc"}

// byHand are the programs that people of a kubeadm cluster call by name, and that
// kubeadm itself looks for.
var byHand = []string{"kubeadm", "kubelet", "kubectl", "crictl"}

// programs are the links that a host must have, by path.
func (g *Goal) programs(ctx component.Context) map[string]artifact.File {
	n, names := ctx.Self, map[string][]string{}
	put := func(dir string, programs ...string) {
		for _, p := range programs {
			if at := path.Join(dir, p); !slices.Contains(names[p], at) {
				names[p] = append(names[p], at)
			}
		}
	}
	if n.ControlPlane || n.Worker {
		put(g.Layout.Bin, everywhere...)
		put(g.Layout.CNI.Bin, cniPlugins...)
	}
	if component.Table[model.Balancer].On(ctx) {
		put(g.Layout.Bin, artifact.Balancer)
	}
	if n.Etcd {
		put(g.Layout.Bin, "etcd", "etcdctl", "etcdutl")
	}
	if n.ControlPlane {
		put(g.Layout.Bin, "kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcdctl", "etcdutl")
	}
	if p := ctx.Pods[model.Etcd]; p == workload.StampedPod || p == workload.PlainPod {
		put(g.Layout.Bin, "etcd-gate")
	}
	if g.Layout.Kubeadm && (n.ControlPlane || n.Worker) {
		put(g.Layout.Bin, "kubeadm")
		put(g.Layout.Commands, byHand...)
	}
	out := map[string]artifact.File{}
	for _, f := range g.Artifacts.Programs {
		for _, at := range names[f.Name] {
			out[at] = f
		}
	}
	return out
}

// VersionLink is the link of a program and version, through which the program's
// own link leads: so a host tells what it has, and another build of the same
// version is no change.
func (g *Goal) VersionLink(program string) string {
	return path.Join(g.Layout.Own.Versions, program+"@"+g.Artifacts.Versions.Of(program))
}

// programsDigest is the fact by which a host's programs are compared: their
// versions.
func (g *Goal) programsDigest(h *Host) string {
	if len(h.Programs) == 0 {
		return ""
	}
	m := map[string]string{}
	for at, f := range h.Programs {
		m[at] = g.VersionLink(f.Name)
	}
	return workload.DiskDigest(m)
}

// Need is something the distribution's packages must bring: the file by which
// it is seen, and the package of each family that has it.
type Need struct {
	Command, Debian, RedHat string
}

// needs are the packages that the host needs.
func (h *Host) needs(at layout.Layout) []Need {
	out := []Need{
		{"curl", "curl", "curl"}, {"conntrack", "conntrack", "conntrack-tools"},
		{"nft", "nftables", "nftables"}, {"ip", "iproute2", "iproute"}, {"iptables", "iptables", "iptables-nft"},
		{"socat", "socat", "socat"}, {"ethtool", "ethtool", "ethtool"}, {"modprobe", "kmod", "kmod"}, {"tar", "tar", "tar"},
		{"ss", "iproute2", "iproute"},
	}
	if !h.Node.LoadBalancer { // also where nginx is not wanted now: a change to it then needs no network
		out = append(out, Need{"nginx", "nginx-light", "nginx"}, Need{at.FrontDoor.Stream, "libnginx-mod-stream", "nginx-mod-stream"})
	}
	if h.Services[model.HAProxy] != nil {
		out = append(out, Need{at.HAProxy.Program, "haproxy", "haproxy"})
	}
	if h.Services[model.Keepalived] != nil {
		out = append(out, Need{at.Keepalived.Program, "keepalived", "keepalived"})
	}
	return out
}
