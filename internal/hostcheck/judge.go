package hostcheck

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
)

// Bounds of kubeadm's preflight (cmd/kubeadm/app/constants: ControlPlaneNumCPU,
// ControlPlaneMem), which blocks below them; its guide asks for 2 GB, and a machine
// of 2 GB shows a little less.
const (
	leastCPUs   = 2
	leastMemory = 1700 << 20
	goodMemory  = 1900 << 20
)

// The kubelet's own bounds: below them it evicts pods
// (https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/).
const (
	leastImages = 15 // per cent free where images lie
	leastNode   = 10 // where pods' data lies
	leastInodes = 5
)

// leastEtcd is the room for etcd: its quota of 2 GiB, a snapshot, and logs.
const leastEtcd = 4 << 30

// mostFsync is how long a disk may take to keep a write, in the mean: etcd wants
// 99 of 100 within 10 ms (https://etcd.io/docs/latest/op-guide/hardware/).
const mostFsync = 10 * time.Millisecond

// judge says what is wrong with a host by itself. A worker blocks nobody: what it
// says of itself may be its own invention.
func judge(t Target, h Host, at layout.Layout) (out []Finding) {
	note := func(level Level, check, fix, format string, args ...any) {
		if !t.Roles.Has(model.ControlPlane) && !t.Roles.Has(model.EtcdHost) {
			level = Warns
		}
		out = append(out, Finding{Host: t.ID, Check: check, Level: level, Seen: fmt.Sprintf(format, args...), Fix: fix})
	}
	control := t.Roles.Has(model.ControlPlane)
	if control && h.CPUs > 0 && h.CPUs < leastCPUs {
		note(Blocks, "cpus", "give it another one", "%d CPU; a control plane needs %d", h.CPUs, leastCPUs)
	}
	switch {
	case h.MemoryBytes == 0 || h.MemoryBytes >= goodMemory:
	case control && h.MemoryBytes < leastMemory:
		note(Blocks, "memory", "give it 2 GB or more", "%s of memory; a control plane needs 2 GB", mega(h.MemoryBytes))
	default:
		note(Warns, "memory", "give it 2 GB or more", "%s of memory", mega(h.MemoryBytes))
	}
	if h.bridge == "no" {
		note(Blocks, "br_netfilter", "install the kernel's package of extra modules, or boot a kernel that has it",
			"the kernel has no module br_netfilter")
	}
	if len(h.lacks) > 0 && h.installer == "" {
		note(Blocks, "commands", "install them; quorate does that with apt-get or dnf, and finds neither", "%s missing",
			strings.Join(h.lacks, ", "))
	}
	if t.New && len(h.runtimes) > 0 {
		note(Warns, "runtimes", "stop it if nothing else needs it; the cluster's own containerd runs beside it",
			"a container runtime listens on %s", strings.Join(h.runtimes, ", "))
	}
	out = append(out, network(t, h)...)
	out = append(out, disks(t, h, at)...)
	if len(h.firewalls) > 0 {
		note(Warns, "firewall", "open 6443, 2379, 2380 and 10250 between the hosts and the endpoint's port, or stop it",
			"%s is active", strings.Join(h.firewalls, ", "))
	}
	if h.selinux == "1" {
		note(Warns, "selinux", "set it to permissive, or be ready to write rules: quorate was not tried with it", "SELinux is enforcing")
	}
	if h.readonly != "" {
		note(Warns, "usr", "set spec.kubeletConfiguration.volumePluginDir to a folder that can be written, such as "+
			at.Kubelet.Root+"/plugins-flex", "%s is read-only", h.readonly)
	}
	return out
}

// network judges routes, names and interfaces.
func network(t Target, h Host) (out []Finding) {
	note := func(check, fix, format string, args ...any) {
		out = append(out, Finding{Host: t.ID, Check: check, Level: Warns, Seen: fmt.Sprintf(format, args...), Fix: fix})
	}
	if len(h.Routes) == 0 {
		note("route", "add one, if only to the interface of its address: without it the host reaches no Service", "it has no default route")
	}
	if loop := slices.DeleteFunc(slices.Clone(h.nameservers), func(s string) bool { return !isLoopback(s) }); len(loop) > 0 {
		note("resolv", "name a server that pods reach too; CoreDNS would ask itself until it ends",
			"its resolv.conf leads to %s, the host itself", strings.Join(loop, ", "))
	}
	return out
}

func isLoopback(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Unmap().IsLoopback()
}

// disks judges space and speed.
func disks(t Target, h Host, at layout.Layout) (out []Finding) {
	note := func(check, fix, format string, args ...any) {
		out = append(out, Finding{Host: t.ID, Check: check, Level: Warns, Seen: fmt.Sprintf(format, args...), Fix: fix})
	}
	for _, s := range h.Space {
		least := int64(leastNode)
		if s.Path == at.Containerd.Root {
			least = leastImages
		}
		switch {
		case s.SizeBytes == 0:
		case s.Path == at.Etcd.Data && s.FreeBytes < leastEtcd:
			note("space", "give etcd a larger disk", "%s has %s free; etcd may need %s", s.Path, mega(s.FreeBytes), mega(leastEtcd))
		case s.Path != at.Etcd.Data && t.Roles.Node() && s.FreeBytes*100 < s.SizeBytes*least:
			note("space", "make room, or the kubelet evicts pods", "%s has %d %% free (%s); the kubelet wants %d %%", s.Path,
				s.FreeBytes*100/s.SizeBytes, mega(s.FreeBytes), least)
		}
		if s.Inodes > 0 && s.FreeInodes*100 < s.Inodes*leastInodes {
			note("inodes", "make room, or the kubelet evicts pods", "%s has %d %% of its inodes free", s.Path, s.FreeInodes*100/s.Inodes)
		}
	}
	if f := h.fsync(); f > mostFsync {
		note("fsync", "give etcd a faster disk, such as an SSD of its own; else its leaders change under load",
			"a small write takes %s until it is on the disk of %s; etcd wants %s", f.Round(100*time.Microsecond), at.Etcd.Data, mostFsync)
	}
	return out
}

func (h Host) fsync() time.Duration { return time.Duration(h.FsyncMicros) * time.Microsecond }

func mega(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// twins says what a host shares with another and must have of its own. Of two, the
// one that comes later in the file is named.
func twins(targets []Target, hosts []Host, i int) (out []Finding) {
	h := hosts[i]
	for _, of := range []struct {
		check, what, fix string
		get              func(Host) string
	}{
		{"hostname", "host name", "give each its own (hostnamectl hostname NAME)", func(h Host) string { return h.Hostname }},
		{"mac", "MAC address", "give each interface its own; hosts on one segment cannot be told apart", func(h Host) string { return h.MAC }},
		{"product-uuid", "product_uuid", "give each machine its own, as hypervisors do for a fresh copy",
			func(h Host) string { return h.ProductUUID }},
	} {
		for j, other := range hosts {
			if earlier(targets, j, i) && of.get(h) != "" && of.get(other) == of.get(h) {
				out = append(out, Finding{Host: h.Host, Check: of.check, Level: Warns, Fix: of.fix,
					Seen: fmt.Sprintf("it has the %s of %s (%s)", of.what, other.Host, of.get(h))})
				break
			}
		}
	}
	for j, other := range hosts {
		if earlier(targets, j, i) && h.MTU > 0 && other.MTU > 0 {
			if h.MTU != other.MTU {
				out = append(out, Finding{Host: h.Host, Check: "mtu", Level: Warns, Fix: "set the same on all hosts: large packets between " +
					"them are lost", Seen: fmt.Sprintf("%s has the MTU %d, that of %s is %d", h.Interface, h.MTU, other.Host, other.MTU)})
			}
			break
		}
	}
	return out
}

// earlier says that host j is the measure for host i: it is set up and i is not, or
// it comes before i in the file.
func earlier(targets []Target, j, i int) bool {
	if targets[j].New != targets[i].New {
		return targets[i].New
	}
	return j < i
}

// shut is what a host cannot connect to.
func shut(t Target, silent []string, all []Target) Finding {
	for i, s := range silent {
		for _, p := range all {
			if port, is := strings.CutPrefix(s, p.Address+":"); is {
				silent[i] = string(p.ID) + ":" + port
			}
		}
	}
	slices.Sort(silent)
	return Finding{Host: t.ID, Check: "ports", Level: Warns, Fix: "open these ports between the hosts: a filter on the way drops connections",
		Seen: "nothing comes back from " + strings.Join(silent, ", ")}
}
