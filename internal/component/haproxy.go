package component

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// HAProxy is the balancer of a host with the role load-balancer. It takes
// connections on the endpoint's port, at whatever address they arrive, and asks
// each API server for /readyz over TLS; the certificate must be of the cluster's
// authority. Sessions of a server that is marked down are closed, so that clients
// reconnect at once. It needs HAProxy 2.4 or later.
//
// While no server passes its checks, new connections go to any of them: checks also
// fail on machines that are only slow, and a slow answer is better than none.
//
// A reload starts a new worker, which gets the listeners, and lets the old one go
// on with what it has for up to an hour.
//
// On loopback the health port serves /healthz, /quorate, the stamp of the
// configuration in use, and /servers;csv, HAProxy's own table. /healthz is 503 when
// another load balancer reaches an API server and this one does not: the others say
// so at /reaches, beside the statistics page. That page has a login of the host's own,
// which it makes at its first start. The distribution's haproxy.service is left alone.
func HAProxy(ctx Context) (workload.Service, error) {
	config, err := haproxyConfig(ctx)
	if err != nil {
		return workload.Service{}, err
	}
	at := ctx.Layout.HAProxy
	unit := balancerUnit(ctx, "Load balancer to the Kubernetes API servers (HAProxy)", []string{
		"Documentation=https://docs.haproxy.org/2.6/configuration.html",
	}, []string{
		"Type=notify",
		"EnvironmentFile=-" + at.Login,
		// $$ is systemd's way to write a dollar.
		"ExecStartPre=/bin/sh -c 'umask 077; [ -s " + at.Login + " ] || printf \"" + statsUser + "=quorate\\n" + statsPassword +
			"=%%s\\n\" \"$$(head -c 18 /dev/urandom | base64)\" >" + at.Login + "'",
		"ExecStartPre=" + at.Program + " -c -q -f " + at.Config,
		"ExecStart=" + at.Program + " -Ws -f " + at.Config,
		"ExecReload=" + at.Program + " -c -q -f " + at.Config,
		"ExecReload=/bin/kill -USR2 $MAINPID",
		"KillMode=mixed",
		"Restart=always",
		"RestartSec=1",
		"SuccessExitStatus=143",
		"TimeoutStopSec=5s",
		"LimitNOFILE=131072",
		workload.RuntimeDirectory(at.Run),
		"CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_NET_BIND_SERVICE CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_SYS_CHROOT",
		"PrivateDevices=yes",
		"PrivateTmp=yes",
		"ProtectControlGroups=yes",
		"ProtectHome=yes",
		"ProtectKernelModules=yes",
		"ProtectKernelTunables=yes",
		"NoNewPrivileges=yes",
		"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
		"RestrictNamespaces=yes",
		"RestrictSUIDSGID=yes",
	})
	s := workload.Service{Name: ctx.Layout.Unit(model.HAProxy), Unit: unit, Reload: true, Resumes: true,
		Files: []workload.File{{File: host.File{Path: at.Config, Content: []byte(config)}}}}
	s.Verify = [][]string{s.VerifyUnit(), // not -q: it would not say why it refuses
		{"env", statsUser + "=none", statsPassword + "=none", at.Program, "-c", "-f", "{}" + at.Config}}
	return s, nil
}

// How long a check of HAProxy's may hang, and when one that failed is repeated.
const (
	checkHangs = 2 * time.Second
	checkAgain = 500 * time.Millisecond
)

// The variables by which HAProxy gets the login of its statistics page.
const (
	statsUser     = "QUORATE_STATS_USER"
	statsPassword = "QUORATE_STATS_PASSWORD"
)

func haproxyConfig(ctx Context) (string, error) {
	_, port, err := net.SplitHostPort(ctx.Endpoint())
	if err != nil {
		return "", fmt.Errorf("HAProxy of %s: spec.controlPlaneEndpoint %q: %w", ctx.Self.Name, ctx.Endpoint(), err)
	}
	if len(ctx.APIServers) == 0 {
		return "", fmt.Errorf("HAProxy of %s: no API server to lead to; bring one up first", ctx.Self.Name)
	}
	o := ctx.haproxy()
	// One that answers otherwise, as while it shuts down in order, gets no new connections
	// and keeps those that it has (L7OKC); one that does not answer loses them.
	expect := "http-check expect error-status L7OKC status 200"
	if ctx.refusesAnonymous() { // that it answers shows that it works
		expect = "http-check expect error-status L7OKC rstatus ^(200|401)$"
	}
	slowly := ""
	if o.Balance == "leastconn" || o.Balance == "roundrobin" || o.Balance == "random" { // the others know no weights that grow
		slowly = fmt.Sprintf(" slowstart %ds", o.SlowStartSeconds)
	}
	limits := ""
	if o.ServerMaxConnections > 0 {
		limits += fmt.Sprintf(" maxconn %d", o.ServerMaxConnections)
	}
	if o.ServerMaxQueue > 0 {
		limits += fmt.Sprintf(" maxqueue %d", o.ServerMaxQueue)
	}
	var servers []string
	for _, n := range topology.ByName(ctx.APIServers) {
		servers = append(servers, "  server "+n.Name+" "+net.JoinHostPort(n.Address, ctx.Layout.APIServer.Port))
	}
	others, nobody := "", "\n"
	for _, n := range ctx.LoadBalancers {
		if n.Name != ctx.Self.Name {
			others += "  server " + peerMark + n.Name + " " + net.JoinHostPort(n.Address, strconv.Itoa(o.StatsPort)) + "\n"
		}
	}
	if others != "" {
		others, nobody = peersTemplate+others+"\n", " !{ nbsrv(balancers) ge 1 }\n"
	}
	admin := ""
	if o.StatsAdmin {
		admin = "  stats admin if TRUE\n"
	}
	return strings.NewReplacer(
		"{maxconn}", strconv.Itoa(o.MaxConnections), "{run}", ctx.Layout.HAProxy.Run, "{connect}", strconv.Itoa(o.ConnectSeconds),
		"{idle}", strconv.Itoa(o.IdleMinutes), "{queue}", strconv.Itoa(o.QueueSeconds), "{port}", port, "{balance}", o.Balance,
		"{expect}", expect, "{ca}", ctx.Layout.PKI.CA.Cert, "{inter}", strconv.Itoa(o.CheckMilliseconds), "{slowly}", slowly,
		"{limits}", limits, "{servers}", strings.Join(servers, "\n"), "{health}", ctx.Layout.HAProxy.HealthPort,
		"{hangs}", strconv.FormatInt(checkHangs.Milliseconds(), 10), "{again}", strconv.FormatInt(checkAgain.Milliseconds(), 10),
		"{others}\n", others, "{nobody}\n", nobody,
		"{stats}", strconv.Itoa(o.StatsPort), "{admin}\n", admin, "{user}", statsUser, "{password}", statsPassword,
	).Replace(haproxyTemplate), nil
}

// haproxy are the file's options; a context made by hand may have none.
func (c Context) haproxy() spec.HAProxy {
	if o := c.Spec.LoadBalancer.HAProxy; o != nil {
		return *o
	}
	return spec.HAProxy{}
}

// haproxyTemplate is HAProxy's. timeout tunnel takes the place of those of client
// and server once both have spoken; TCP keep-alive finds peers that are gone long
// before. A check ends within timeout check, so that one of a server that hangs is
// no check for ever. Without strict limits HAProxy takes fewer connections where it
// may not have as many file descriptors, as in some containers, and says so; else it
// would not start.
const haproxyTemplate = `# Written by quorate; changes are overwritten.
global
  log stdout format raw daemon notice
  maxconn {maxconn}
  no strict-limits
  user haproxy
  group haproxy
  stats socket {run}/admin.sock mode 600 level admin expose-fd listeners
  hard-stop-after 1h

defaults
  mode tcp
  log global
  timeout connect {connect}s
  timeout client {idle}m
  timeout server {idle}m
  timeout tunnel {idle}m
  timeout client-fin 30s
  timeout server-fin 30s
  timeout queue {queue}s
  timeout check {hangs}ms
  option redispatch 1
  retries 3
  option clitcpka
  clitcpka-idle 30s
  clitcpka-intvl 10s
  clitcpka-cnt 3
  option srvtcpka
  srvtcpka-idle 30s
  srvtcpka-intvl 10s
  srvtcpka-cnt 3

frontend kubernetes
  bind :{port}
  use_backend unchecked unless { nbsrv(apiservers) ge 1 }
  default_backend apiservers

backend apiservers
  balance {balance}
  option httpchk GET /readyz
  {expect}
  default-server check check-ssl verify required ca-file {ca} inter {inter}ms fastinter {again}ms downinter {inter}ms rise 2 fall 2{slowly} on-marked-down shutdown-sessions{limits}
{servers}

# While none passes its checks: a server may be only slow.
backend unchecked
  balance {balance}
{servers}

{others}
frontend health
  mode http
  bind 127.0.0.1:{health}
  timeout client 5s
  http-request return status 200 content-type text/plain string "@QUORATE_CONFIG@" if { path /quorate }
  http-request return status 200 content-type text/plain string "ok" if { path /healthz } { nbsrv(apiservers) ge 1 }
  http-request return status 200 content-type text/plain string "no API server answers, and no other load balancer is known to reach one" if { path /healthz }{nobody}
  http-request return status 503 content-type text/plain string "no API server answers here" if { path /healthz }
  stats enable
  stats uri /servers
  http-request deny deny_status 404 unless { path_beg /servers }

frontend statistics
  mode http
  bind :{stats}
  timeout client 30s
  http-request return status 200 content-type text/plain string "ok" if { path /reaches } { nbsrv(apiservers) ge 1 }
  http-request return status 503 content-type text/plain string "no API server answers" if { path /reaches }
  stats enable
  stats uri /
  stats refresh 10s
  stats hide-version
  stats realm quorate
  stats auth "${{user}}:${{password}}"
{admin}
`

// peerMark begins the name of another load balancer among HAProxy's servers: no host
// has a colon in its name.
const peerMark = "balancer:"

// peersTemplate asks the other load balancers whether they reach an API server. One
// that does not say so, for whatever reason, is nobody to leave the address to.
const peersTemplate = `# Whether the other load balancers reach an API server.
backend balancers
  option httpchk GET /reaches
  http-check expect status 200
  default-server check inter 1s fall 1 rise 2
`

func haproxyAsks(at layout.Layout) []workload.Ask {
	return []workload.Ask{{URL: local(at.HAProxy.HealthPort, "/quorate"), Seconds: 2},
		{URL: local(at.HAProxy.HealthPort, "/servers;csv"), Seconds: 2}}
}

func haproxyStamp(at layout.Layout) string { return "said " + at.Unit(model.HAProxy) + ".1" }

// HAProxyServers is a command that prints a line "SERVER STATE" for each API server
// that HAProxy knows: UP, DOWN, MAINT, …
func HAProxyServers(at layout.Layout) string {
	return "said " + at.Unit(model.HAProxy) + ".2 | awk -F, '$1 == \"apiservers\" && $2 != \"BACKEND\" { print $2, $18 }'"
}
