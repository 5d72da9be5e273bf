package component

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/workload"
)

// confined is the hardening of the components that only compute and speak over
// the network.
var confined = append([]string{"CapabilityBoundingSet="}, sandbox...)

// sandbox is what holds for load balancers as well, which may need a capability.
// Not ProcSubset=pid: Go reads the length of the listen queue from /proc/sys, and
// would take 128.
var sandbox = []string{
	"UMask=0077",
	"NoNewPrivileges=yes",
	"LockPersonality=yes",
	"MemoryDenyWriteExecute=yes",
	"PrivateDevices=yes",
	"PrivateTmp=yes",
	"ProtectClock=yes",
	"ProtectControlGroups=yes",
	"ProtectHome=yes",
	"ProtectHostname=yes",
	"ProtectKernelLogs=yes",
	"ProtectKernelModules=yes",
	"ProtectKernelTunables=yes",
	"ProtectProc=invisible",
	"ProtectSystem=strict",
	"RemoveIPC=yes",
	"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
	"RestrictNamespaces=yes",
	"RestrictRealtime=yes",
	"RestrictSUIDSGID=yes",
	"SystemCallArchitectures=native",
	"SystemCallErrorNumber=EPERM",
	"SystemCallFilter=@system-service",
	"SystemCallFilter=~@privileged @resources",
}

// hostwide is the hardening of services that work on the whole host as root: no
// kernel call that they do not need. Nothing here makes a mount namespace, in which
// the mounts of a kubelet would be hidden from the containers; and nothing keeps a
// kubelet from setting the set-group-ID bit on a volume (fsGroup).
var hostwide = []string{
	"LockPersonality=yes",
	"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
	"RestrictNamespaces=yes",
	"RestrictRealtime=yes",
	"SystemCallArchitectures=native",
	"SystemCallErrorNumber=EPERM",
	"SystemCallFilter=~@clock @cpu-emulation @debug @obsolete @raw-io @reboot @swap",
}

// kubeletBounds take from a kubelet, and from the mount helpers and credential
// providers that it starts, the capabilities that none of them uses. Modules stay:
// a mount helper may load that of its file system.
var kubeletBounds = append([]string{"CapabilityBoundingSet=~CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_BLOCK_SUSPEND CAP_LEASE " +
	"CAP_LINUX_IMMUTABLE CAP_NET_BROADCAST CAP_PERFMON CAP_SYS_BOOT CAP_SYS_PACCT CAP_SYS_RAWIO CAP_SYS_TIME CAP_SYS_TTY_CONFIG " +
	"CAP_WAKE_ALARM"}, hostwide...)

// proxyBounds leave kube-proxy what packet filters, their modules, sysctls of the
// network and its own OOM score need.
var proxyBounds = append([]string{
	"CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_MODULE CAP_SYS_RESOURCE",
	"NoNewPrivileges=yes",
	"MemoryDenyWriteExecute=yes",
	"PrivateDevices=yes",
	"PrivateTmp=yes",
	"ProtectClock=yes",
	"ProtectControlGroups=yes",
	"ProtectHome=yes",
	"ProtectHostname=yes",
	"ProtectKernelLogs=yes",
	"ProtectSystem=full",
	"RestrictSUIDSGID=yes",
}, hostwide...)

// binds are the lines of a unit that let it listen on a port, and do what else it
// has these capabilities for, without being root.
func binds(port string, more ...string) []string {
	if n, err := strconv.Atoi(port); err == nil && n < 1024 {
		more = append(more, "CAP_NET_BIND_SERVICE")
	}
	if len(more) == 0 {
		return []string{"CapabilityBoundingSet="}
	}
	all := strings.Join(more, " ")
	return []string{"AmbientCapabilities=" + all, "CapabilityBoundingSet=" + all}
}

// balancerUnit is the unit of a load balancer.
func balancerUnit(ctx Context, description string, about, service []string) string {
	return strings.Join(slices.Concat([]string{"[Unit]", "Description=" + description}, about, []string{
		"X-Quorate=" + ctx.Cluster,
		"Wants=network-online.target",
		"After=network-online.target",
		"StartLimitIntervalSec=0",
		"",
		"[Service]",
	}, service, []string{
		"",
		"[Install]",
		"WantedBy=multi-user.target",
		"",
	}), "\n")
}

// private makes a service run as a user of its own (Layout.User).
// The service was rendered with the layout as that user sees it (Layout.For). Its
// files go back to root's paths; of these, and of root's files that reads names by
// the user's paths, the service gets copies.
func private(s workload.Service, at layout.Layout, v model.Component, reads ...string) workload.Service {
	s.User = at.User(v)
	for i, f := range s.Files {
		reads = append(reads, f.Path)
		if original, ok := at.Original(v, f.Path); ok {
			s.Files[i].Path = original
		}
	}
	slices.Sort(reads)
	for _, path := range slices.Compact(reads) {
		if original, ok := at.Original(v, path); ok {
			s.Copies = append(s.Copies, workload.Copy{From: original, To: path})
		}
	}
	s.Unit = strings.Replace(s.Unit, "[Service]\n", "[Service]\nUser="+s.User+"\nGroup="+s.User+"\n", 1)
	return s
}

// A connection to the API without data is pinged after pingAfter, and given up
// when the answer takes longer than pingTimeout.
const pingAfter, pingTimeout = 5 * time.Second, 5 * time.Second

// pings make a client of the API notice that its connection leads to a host that
// is silent: well within the 40 s of a node's lease, which it renews every 10 s.
// The defaults are 30 s and 15 s, longer than that
// (k8s.io/apimachinery/pkg/util/net: readIdleTimeoutSeconds, pingTimeoutSeconds).
var pings = []string{
	fmt.Sprintf("Environment=HTTP2_READ_IDLE_TIMEOUT_SECONDS=%.0f", pingAfter.Seconds()),
	fmt.Sprintf("Environment=HTTP2_PING_TIMEOUT_SECONDS=%.0f", pingTimeout.Seconds()),
}
