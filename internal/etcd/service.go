// Package etcd describes an etcd member as a systemd service, and speaks to
// members through a host's own network. It makes no certificates (package
// pki does), starts and waits for nothing, and knows nothing of steps or
// plans: which member joins or leaves, and when, is decided elsewhere.
package etcd

import (
	"maps"
	"net"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/unit"
)

// Config is all that a member's service depends on.
type Config struct {
	Cluster   string      // the cluster's name, and etcd's initial-cluster-token
	Self      unit.Node   // this member
	Members   []unit.Node // all members, Self among them
	State     State
	ExtraArgs map[string]string // spec.components.etcd.extraArgs; package spec has refused what is not the user's
}

// Service is the etcd member of a host, for etcd 3.6 and later (3.5 does not
// know --feature-gates and --watch-progress-notify-interval).
//
// The unit is Type=notify, and etcd notifies only once it has joined a quorum
// (server/etcdmain: notifySystemd after ReadyNotify). So start it with
// `systemctl start --no-block`: of three founding members the first would
// otherwise wait for a second that is not told to start yet. For the same
// reason nothing may be ordered After= it, and it has no start time-out: a
// member that waits for its peers is healthy, and killing one that fetches a
// snapshot would only make it begin again.
func Service(c Config) unit.Service {
	return unit.Service{
		Name: ServiceName,
		Unit: unitText(c),
		Files: []unit.File{{
			File: host.File{Path: InitialPath, Content: []byte(initialEnv(c)), Mode: 0o644},
			Cold: true,
		}},
		Verify: [][]string{{"systemd-analyze", "verify", "{}/etc/systemd/system/" + ServiceName + ".service"}},
		Certs:  []string{pki.EtcdServer, pki.EtcdPeer},
	}
}

// initialEnv is what etcd reads only at a member's birth, when its data folder
// is empty. It is kept true so that nobody is misled by a stale member list.
func initialEnv(c Config) string {
	var urls []string
	for _, m := range c.Members {
		urls = append(urls, m.Name+"="+PeerURL(m))
	}
	slices.Sort(urls)
	return "# Read by etcd only when its data folder is empty. Written by quorate.\n" +
		"ETCD_INITIAL_CLUSTER=" + strings.Join(urls, ",") + "\n" +
		"ETCD_INITIAL_CLUSTER_STATE=" + string(c.State) + "\n" +
		"ETCD_INITIAL_CLUSTER_TOKEN=" + c.Cluster + "\n"
}

// unitText is the unit file. A member whose data is gone does not start: its
// peers would take it for the one it was, which may have voted for what it does
// not know any more; and a lone founder would found a second, empty cluster. Only
// a birth that quorate has prepared begins without data. Hardening: etcd writes only its data folder and
// needs no capability, for as root it owns all that it reads. No negative OOM
// score: where CAP_SYS_RESOURCE is missing (containers) the start would fail.
func unitText(c Config) string {
	return `[Unit]
Description=etcd member ` + c.Self.Name + ` of Kubernetes cluster ` + c.Cluster + `
Documentation=https://etcd.io/docs/
X-Quorate=` + c.Cluster + `
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
EnvironmentFile=` + InitialPath + `
EnvironmentFile=-` + BootstrapPath + `
ExecStartPre=/bin/sh -c 'test -d ` + DataDir + `/member || test -e ` + BootstrapPath + ` || { echo "there is no data, and an empty member must not come back as the one it was: run quorate apply" >&2; exit 1; }'
ExecStartPre=+-/bin/sh -c '` + RaiseFence + `'
ExecStart=` + strings.Join(append([]string{Binary}, quoteAll(args(c))...), " \\\n  ") + `
ExecStartPost=+/usr/bin/install -D -m 0644 /dev/null ` + BootstrappedPath + `
ExecStartPost=+/bin/rm -f ` + BootstrapPath + `
Restart=always
RestartSec=2
TimeoutStartSec=infinity
TimeoutStopSec=30
LimitNOFILE=65536
IOSchedulingClass=best-effort
IOSchedulingPriority=0
UMask=0077
StateDirectory=etcd
StateDirectoryMode=0700
CapabilityBoundingSet=
NoNewPrivileges=yes
LockPersonality=yes
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=strict
ReadWritePaths=` + DataDir + `
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
`
}

// args are the flags, in a stable order: ours first, each with the user's
// value where there is one, then the user's others by name.
//
// Not set, on purpose: auto-compaction (the API server compacts every five
// minutes, and only what it no longer needs; kube-apiserver
// --etcd-compaction-interval), snapshot-count (the default of 3.6 is right),
// heartbeat and election time (100 ms and 1 s suit one data centre; over
// slower links say so in spec.components.etcd.extraArgs).
func args(c Config) []string {
	self := c.Self
	loopback := "https://" + net.JoinHostPort("127.0.0.1", ClientPort)
	own := [][2]string{
		{"name", self.Name},
		{"data-dir", DataDir},
		{"listen-client-urls", ClientURL(self) + "," + loopback},
		{"advertise-client-urls", ClientURL(self)},
		{"listen-peer-urls", PeerURL(self)},
		{"initial-advertise-peer-urls", PeerURL(self)},
		{"listen-metrics-urls", "http://127.0.0.1:" + MetricsPort},
		{"cert-file", pki.CertPath(pki.EtcdServer)},
		{"key-file", pki.KeyPath(pki.EtcdServer)},
		{"client-cert-auth", "true"},
		{"trusted-ca-file", pki.EtcdCACertPath},
		{"peer-cert-file", pki.CertPath(pki.EtcdPeer)},
		{"peer-key-file", pki.KeyPath(pki.EtcdPeer)},
		{"peer-client-cert-auth", "true"},
		{"peer-trusted-ca-file", pki.EtcdCACertPath},
		{"tls-min-version", "TLS1.2"},
		{"quota-backend-bytes", "8589934592"}, // 8 GiB, the most that etcd advises
		{"strict-reconfig-check", "true"},     // no change of members that would lose quorum
		{"feature-gates", "InitialCorruptCheck=true"},
		{"watch-progress-notify-interval", "5s"}, // for consistent reads from the API server's cache, as kubeadm has it
		{"log-level", "info"},
	}
	extra := maps.Clone(c.ExtraArgs)
	var out []string
	for _, f := range own {
		if v, ok := extra[f[0]]; ok {
			f[1] = v
			delete(extra, f[0])
		}
		out = append(out, "--"+f[0]+"="+f[1])
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		out = append(out, "--"+name+"="+extra[name])
	}
	return out
}

func quoteAll(in []string) []string {
	var out []string
	for _, s := range in {
		out = append(out, quote(s))
	}
	return out
}

// quote writes one argument so that systemd reads it back unchanged: % and $
// are its own, the rest is C quoting (systemd.service(5), "Command lines").
func quote(s string) string {
	s = strings.NewReplacer("%", "%%", "$", "$$").Replace(s)
	if s != "" && !strings.ContainsAny(s, " \t\n\"'\\;") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
}
