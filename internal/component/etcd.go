package component

import (
	"maps"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// EtcdConfig is all that a member's service depends on.
type EtcdConfig struct {
	Layout    layout.Layout
	Cluster   string          // the cluster's name, and etcd's initial-cluster-token
	Self      topology.Node   // this member
	Members   []topology.Node // all members, Self among them
	State     etcd.State
	ExtraArgs map[string]string // spec.components.etcd.extraArgs; package spec has refused what is not the user's
	Env       []string          // further lines of the unit, with the user's own environment
}

// Etcd is the etcd member of a host, for etcd 3.6 and later (3.5 does not
// know --feature-gates and --watch-progress-notify-interval).
//
// The unit is Type=notify, and etcd notifies only once it has joined a quorum
// (server/etcdmain: notifySystemd after ReadyNotify). So start it with
// `systemctl start --no-block`: of three founding members the first would
// otherwise wait for a second that is not told to start yet. For the same
// reason nothing may be ordered After= it, and it has no start time-out: a
// member that waits for its peers is healthy, and killing one that fetches a
// snapshot would only make it begin again.
func Etcd(c EtcdConfig) workload.Service {
	root := c.Layout
	c.Layout = root.For(model.Etcd)
	args := EtcdArgs(c)
	var reads []string
	for _, arg := range args {
		_, value, _ := strings.Cut(arg, "=")
		reads = append(reads, value)
	}
	return private(workload.Service{
		Name:   c.Layout.Unit(model.Etcd),
		Unit:   etcdUnit(c, args),
		Files:  []workload.File{initialEnv(c)},
		Verify: [][]string{{"systemd-analyze", "verify", "{}" + c.Layout.UnitPath(model.Etcd)}},
		Certs:  []string{pki.EtcdServer, pki.EtcdPeer},
	}, root, model.Etcd, reads...)
}

// etcdOfHost is the member of a host. Its state is always "existing": only the
// step that bootstraps a cluster overrides that, in a file that does not outlive a
// reboot, so that a member that lost its data never comes up as a new, empty
// cluster.
func etcdOfHost(ctx Context) (workload.Service, error) {
	return Etcd(EtcdConfig{Layout: ctx.Layout, Cluster: ctx.Cluster, Self: ctx.Self, Members: ctx.Members,
		State: etcd.Existing, ExtraArgs: ctx.extra("etcd"), Env: ctx.environment("etcd")}), nil
}

func initialEnv(c EtcdConfig) workload.File {
	return workload.File{File: host.File{Path: c.Layout.Etcd.Initial, Content: []byte(EtcdInitialEnv(c)), Mode: 0o644}, Cold: true}
}

// EtcdInitialEnv is what etcd reads only while a member's data folder is empty.
// It is kept true so that nobody is misled by a stale member list.
func EtcdInitialEnv(c EtcdConfig) string {
	var urls []string
	for _, m := range c.Members {
		urls = append(urls, m.Name+"="+c.Layout.Etcd.PeerURL(m.Address))
	}
	slices.Sort(urls)
	return "# Read by etcd only when its data folder is empty. Written by quorate.\n" +
		"ETCD_INITIAL_CLUSTER=" + strings.Join(urls, ",") + "\n" +
		"ETCD_INITIAL_CLUSTER_STATE=" + string(c.State) + "\n" +
		"ETCD_INITIAL_CLUSTER_TOKEN=" + c.Cluster + "\n"
}

// etcdUnit is the unit file. A member whose data is gone does not start: its
// peers would take it for the one it was, which may have voted for what it does
// not know any more; and a lone founder would found a second, empty cluster. Only
// a bootstrap that quorate has prepared begins without data. The data is made
// its user's at each start: a recovery is root's work, members of earlier builds
// ran as root, and a start that was cut short is repeated. No negative OOM
// score: where CAP_SYS_RESOURCE is missing (containers) the start would fail.
func etcdUnit(c EtcdConfig, args []string) string {
	at, own, user := c.Layout.Etcd, c.Layout.Own, c.Layout.Unit(model.Etcd)
	return `[Unit]
Description=etcd member ` + c.Self.Name + ` of Kubernetes cluster ` + c.Cluster + `
Documentation=https://etcd.io/docs/
X-Quorate=` + c.Cluster + `
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
EnvironmentFile=` + at.Initial + `
EnvironmentFile=-` + at.Bootstrap + `
ExecStartPre=+/bin/sh -c 'test -d ` + at.Member() + ` || test -e ` + at.Bootstrap +
		` || { echo "there is no data, and an empty member must not come back as the one it was: run quorate apply" >&2; exit 1; }'
ExecStartPre=+-/bin/sh -c '` + etcd.RaiseFence(own.Fence) + `'
ExecStartPre=+/bin/chown -R ` + user + `:` + user + ` ` + at.Data + `
ExecStart=` + strings.Join(append([]string{c.Layout.Program("etcd")}, quoteAll(args)...), " \\\n  ") + `
ExecStartPost=+/usr/bin/install -D -m 0644 /dev/null ` + own.Bootstrapped + `
ExecStartPost=+/bin/rm -f ` + at.Bootstrap + `
Restart=always
RestartSec=2
TimeoutStartSec=infinity
TimeoutStopSec=30
LimitNOFILE=65536
IOSchedulingClass=best-effort
IOSchedulingPriority=0
` + workload.StateDirectory(at.Data) + `
StateDirectoryMode=0700
` + strings.Join(slices.Concat(confined, c.Env), "\n") + `

[Install]
WantedBy=multi-user.target
`
}

// EtcdArgs are the flags, in a stable order: ours first, each with the user's
// value where there is one, then the user's others by name.
//
// Not set, on purpose: auto-compaction (the API server compacts every five
// minutes, and only what it no longer needs; kube-apiserver
// --etcd-compaction-interval), snapshot-count (the default of 3.6 is right),
// heartbeat and election time (100 ms and 1 s suit one data centre; over
// slower links say so in spec.components.etcd.extraArgs).
func EtcdArgs(c EtcdConfig) []string {
	self, at, keys := c.Self, c.Layout.Etcd, c.Layout.PKI
	own := [][2]string{
		{"name", self.Name},
		{"data-dir", at.Data},
		{"listen-client-urls", at.ClientURL(self.Address) + "," + at.ClientURL("127.0.0.1")},
		{"advertise-client-urls", at.ClientURL(self.Address)},
		{"listen-peer-urls", at.PeerURL(self.Address)},
		{"initial-advertise-peer-urls", at.PeerURL(self.Address)},
		{"listen-metrics-urls", "http://127.0.0.1:" + at.MetricsPort},
		{"cert-file", keys.Leaf(pki.EtcdServer).Cert},
		{"key-file", keys.Leaf(pki.EtcdServer).Key},
		{"client-cert-auth", "true"},
		{"trusted-ca-file", keys.EtcdCA.Cert},
		{"peer-cert-file", keys.Leaf(pki.EtcdPeer).Cert},
		{"peer-key-file", keys.Leaf(pki.EtcdPeer).Key},
		{"peer-client-cert-auth", "true"},
		{"peer-trusted-ca-file", keys.EtcdCA.Cert},
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
		for _, value := range workload.Each(extra[name]) {
			out = append(out, "--"+name+"="+value)
		}
	}
	return out
}

func quoteAll(in []string) []string {
	var out []string
	for _, s := range in {
		out = append(out, workload.Quote(s))
	}
	return out
}
