package component

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// The names of quorate-lb's ways.
const (
	DoorWay = "api"
	EtcdWay = "etcd"
)

// checkTimeout is how long a host may be silent. With the interval of 250 ms
// that is found within a second. Servers that are only slow get longer.
const checkTimeout = 500 * time.Millisecond

// Balancer is quorate-lb on one host: the front door, on control planes the way to
// etcd, and where hosts share a virtual address a virtual router. It checks API servers and members all the time, so that one that
// is silent, hangs or is not ready costs its clients less than a second.
//
// It runs as the user that nginx has: addresses are shared (SO_REUSEPORT) between
// processes of one user only, and the two change places. The key with which etcd
// is asked is a copy of root's.
//
// ExecReload: a new configuration is read again, and a new program takes over
// while the old process finishes what it has.
func Balancer(ctx Context) (workload.Service, error) {
	root := ctx.Layout
	at := root.Balancer
	ctx.Layout = root.For(model.Balancer)
	file, err := balancerConfig(ctx)
	if err != nil {
		return workload.Service{}, err
	}
	text, err := file.Marshal()
	if err != nil {
		return workload.Service{}, fmt.Errorf("write %s: %w", at.Config, err)
	}
	port, err := doorPort(ctx)
	if err != nil {
		return workload.Service{}, err
	}
	program := ctx.Layout.Program(artifact.Balancer)
	unit := balancerUnit(ctx, "Load balancer to the Kubernetes API servers and to etcd", []string{
		"X-Program=" + ctx.BalancerSum,
	}, slices.Concat([]string{
		"Type=notify",
		"NotifyAccess=all",
		"ExecStart=" + program + " -config " + at.Config,
		`ExecReload=+/bin/sh -c 'if [ /proc/$MAINPID/exe -ef ` + program + ` ]; then kill -HUP $MAINPID; else kill -USR2 $MAINPID; fi'`,
		"WatchdogSec=15",
		"Restart=always",
		"RestartSec=200ms",
		// SIGTERM would finish what it has for up to an hour: who wants that sends it by himself.
		"KillSignal=SIGINT",
		"TimeoutStopSec=5s",
		"LimitNOFILE=131072",
	}, holding(ctx, program), binds(port, capabilities(ctx)...), sandbox))
	s := workload.Service{Name: ctx.Layout.Unit(model.Balancer), Unit: unit, Reload: true,
		Files: []workload.File{{File: host.File{Path: at.Config, Content: append([]byte("# Written by quorate; changes are overwritten.\n"),
			text...)}}}}
	if ctx.Self.ControlPlane {
		s.Certs = []string{pki.APIServerEtcdClient}
	}
	s.Verify = [][]string{s.VerifyUnit(), {program, "-check", "-config", "{}" + at.Config}}
	var reads []string
	for _, w := range file.Ways {
		reads = append(reads, w.Check.CA, w.Check.Certificate, w.Check.Key)
	}
	return private(s, root, model.Balancer, reads...), nil
}

func balancerConfig(ctx Context) (config.File, error) {
	port, err := doorPort(ctx)
	if err != nil {
		return config.File{}, err
	}
	door := config.Way{Name: DoorWay, Nodes: checkers(len(ctx.Nodes) + len(ctx.LoadBalancers)), Check: config.Check{
		Kind: config.KindReadyz, CA: ctx.Layout.PKI.CA.Cert, UnauthorizedIsReady: ctx.refusesAnonymous(),
		Timeout: config.Duration(checkTimeout), CutOff: config.Duration(min(readycheck(ctx), mostCutOff)),
	}}
	for _, a := range doorAddresses(ctx) {
		door.Listen = append(door.Listen, net.JoinHostPort(a, port))
	}
	for _, n := range topology.ByName(ctx.APIServers) {
		door.Backends = append(door.Backends, config.Backend{Name: n.Name, Address: net.JoinHostPort(n.Address, ctx.Layout.APIServer.Port)})
	}
	ways := []config.Way{door}
	if ctx.Self.ControlPlane && ctx.EtcdBalanced() {
		ways = append(ways, etcdWay(ctx))
	}
	f := config.File{Stamp: workload.StampMark, Admin: config.Admin{Listen: net.JoinHostPort("127.0.0.1", ctx.Layout.Balancer.HealthPort)},
		Ways: ways, VIPs: virtualRouter(ctx)}.WithDefaults()
	if err := f.Validate(); err != nil {
		return f, fmt.Errorf("load balancer of %s: %w", ctx.Self.Name, err)
	}
	return f, nil
}

const (
	readycheckFlag = "etcd-readycheck-timeout"
	mostCutOff     = 3 * time.Second // as long as sessions stay anyway
)

// readycheck is how long an API server waits for etcd before it says that it is
// not ready: the flag's default. With a second, creates failed on a busy machine;
// that this was the cause is likely, not proven.
func readycheck(ctx Context) time.Duration {
	if d, err := time.ParseDuration(ctx.extra("kube-apiserver")[readycheckFlag]); err == nil && d > 0 {
		return d
	}
	return 2 * time.Second // the flag's default
}

func etcdWay(ctx Context) config.Way {
	client := ctx.Layout.PKI.Leaf(pki.APIServerEtcdClient)
	w := config.Way{Name: EtcdWay, Listen: []string{net.JoinHostPort("127.0.0.1", ctx.Layout.Balancer.EtcdPort)}, Check: config.Check{
		Kind: config.KindEtcd, CA: ctx.Layout.PKI.EtcdCA.Cert, Certificate: client.Cert, Key: client.Key, ClusterID: ctx.EtcdCluster,
	}}
	for _, m := range topology.ByName(ctx.EtcdMembers) {
		w.Backends = append(w.Backends, config.Backend{
			Name: m.Name, Address: net.JoinHostPort(m.Address, ctx.Layout.Etcd.ClientPort), Preferred: m.Name == ctx.Self.Name})
	}
	return w
}

// checkers is how many balancers check an API server, in steps of 50: below
// that the time between two checks is the same, and a node that joins should
// change nobody's configuration.
func checkers(nodes int) int {
	if nodes <= 50 {
		return 0
	}
	return (nodes + 49) / 50 * 50
}

// refusesAnonymous says that the user's own flags may keep the checks from
// asking /readyz: then an answer that refuses them shows that the server works.
func (c Context) refusesAnonymous() bool {
	for _, flag := range []string{"anonymous-auth", "authentication-config"} {
		if _, set := c.extra("kube-apiserver")[flag]; set {
			return true
		}
	}
	return false
}

// Silence is what the clients of a front door feel of an API server that falls
// silent.
type Silence struct {
	Kind     string
	Interval time.Duration // between two checks; 0: there are none
	// Standing is how long a connection to it stands before it is given up.
	Standing time.Duration
	// Election is how long writes fail at most where its etcd member led, until
	// another one leads; 0: there is no other.
	Election time.Duration
	// EtcdReset says that writes which were sent to a lost leader fail when another
	// one leads, and not after etcd's own time-out.
	EtcdReset bool
	// CutOff is when connections begin to be closed to an API server that alone has
	// lost etcd; 0: they stay as long as it runs.
	CutOff time.Duration
}

// OnSilence is that of the cluster's front doors. nginx checks nothing: there
// the clients' own pings find out.
func OnSilence(ctx Context) (Silence, error) {
	election := electionTime(ctx)
	switch lb := ctx.Spec.LoadBalancer; lb.Kind {
	case spec.NoBalancer:
		return Silence{Kind: spec.NoBalancer, Election: election}, nil
	case spec.HAProxyBalancer:
		every := time.Duration(ctx.haproxy().CheckMilliseconds) * time.Millisecond
		// The next check is due, hangs, is repeated and hangs again.
		return Silence{Kind: lb.Kind, Interval: every, Standing: every + checkAgain + 2*checkHangs, Election: election}, nil
	case spec.ExternalBalancer:
		return Silence{Kind: lb.Kind, Election: election}, nil
	}
	if !ctx.Builtin() {
		return Silence{Kind: "nginx", Standing: pingAfter + pingTimeout, Election: election}, nil
	}
	f, err := balancerConfig(ctx)
	if err != nil {
		return Silence{}, err
	}
	door := f.Ways[0]
	// It asks etcd every half time-out, and waits for one; then the door sees it.
	says := readycheck(ctx)*3/2 + door.Interval()
	return Silence{Kind: ctx.Spec.LoadBalancer.Kind, Interval: door.Interval(), Standing: door.Detection(), Election: election,
		EtcdReset: ctx.EtcdBalanced(), CutOff: says + door.Check.CutOff.Std()}, nil
}

// electionTime: a follower calls an election between one and two election
// time-outs after it last heard of the leader; etcd's default is a second
// (https://etcd.io/docs/v3.6/tuning/#time-parameters).
func electionTime(ctx Context) time.Duration {
	if len(ctx.EtcdMembers) < 2 {
		return 0
	}
	timeout := time.Second
	if ms, err := strconv.Atoi(ctx.extra("etcd")["election-timeout"]); err == nil && ms > 0 {
		timeout = time.Duration(ms) * time.Millisecond
	}
	return 2 * timeout
}
