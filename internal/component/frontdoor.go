package component

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// FrontDoor is the nginx of one host. It listens on the endpoint's port, on
// loopback everywhere and on the host's own address on control planes, so that
// machines outside the cluster find it there.
//
// Open-source nginx has no active health checks. It learns that a server is
// gone from a connection that fails: refused (at once) or unanswered within a
// second, and then tries the next; two failures take a server out for five
// seconds. An API server that accepts connections and then hangs, or answers
// /readyz with 500, stays in rotation until its process ends; what such a
// server does to clients must be found by whoever asks /readyz (observe,
// doctor), not here. Established connections to a silent host end by their
// clients' HTTP/2 pings (client-go: 30 s and 15 s) and by keep-alive.
//
// Its addresses are shared (reuseport) with processes of the same user, so that
// quorate-lb can take over without a moment in which nobody listens.
//
// A reload starts new workers and lets the old ones go on with what they have:
// no watch, exec or log is cut. worker_shutdown_timeout bounds that to an hour.
//
// On loopback the health port serves /healthz, /status (stub_status) and
// /quorate, which answers with the stamp of the configuration in use
// (workload.Service.Stamp). The distribution's own nginx.service is left alone.
func FrontDoor(ctx Context) (workload.Service, error) {
	config, err := nginxConfig(ctx)
	if err != nil {
		return workload.Service{}, err
	}
	port, err := doorPort(ctx)
	if err != nil {
		return workload.Service{}, err
	}
	at := ctx.Layout.FrontDoor
	nginx := at.Program + " -p " + at.Run + "/ -c " + at.Config
	text := balancerUnit(ctx, "Front door to the Kubernetes API servers (nginx)", []string{
		"Documentation=https://nginx.org/en/docs/stream/ngx_stream_core_module.html",
	}, slices.Concat([]string{
		"ExecStartPre=" + nginx + " -t -q",
		"ExecStart=" + nginx + ` -g "daemon off;"`,
		"ExecReload=" + nginx + " -t -q",
		// By root: a process that an earlier build started is root's.
		"ExecReload=+/bin/kill -HUP $MAINPID",
		"Restart=always",
		"RestartSec=1",
		"TimeoutStopSec=5s",
		"LimitNOFILE=131072",
		workload.RuntimeDirectory(at.Run),
	}, binds(port), sandbox))
	s := workload.Service{Name: ctx.Layout.Unit(model.FrontDoor), Unit: text, Reload: true,
		Files: []workload.File{{File: host.File{Path: at.Config, Content: []byte(config)}}}}
	// nginx -t makes the PID file and folders below its prefix. Those of root's must
	// not lie where the service needs its own.
	s.Verify = [][]string{s.VerifyUnit(), {"mkdir", "-p", "{}" + at.Run},
		{at.Program, "-t", "-q", "-p", "{}" + at.Run + "/", "-c", "{}" + at.Config}}
	return private(s, ctx.Layout, model.FrontDoor), nil
}

func nginxConfig(ctx Context) (string, error) {
	port, err := doorPort(ctx)
	if err != nil {
		return "", err
	}
	var servers, listeners []string
	for _, n := range topology.ByName(ctx.APIServers) {
		servers = append(servers, fmt.Sprintf("    server %s max_fails=2 fail_timeout=5s; # %s",
			net.JoinHostPort(n.Address, ctx.Layout.APIServer.Port), n.Name))
	}
	for _, a := range doorAddresses(ctx) {
		listeners = append(listeners, fmt.Sprintf("    listen %s reuseport so_keepalive=30s:10s:3;", net.JoinHostPort(a, port)))
	}
	at := ctx.Layout.FrontDoor
	return fmt.Sprintf(nginxTemplate, loadStream(ctx), strings.Join(servers, "\n"), strings.Join(listeners, "\n"),
		net.JoinHostPort("127.0.0.1", at.HealthPort)), nil
}

// doorPort is the port of the host's front door.
func doorPort(ctx Context) (string, error) {
	_, port, err := net.SplitHostPort(ctx.Spec.ControlPlaneEndpoint)
	if err != nil {
		return "", fmt.Errorf("front door of %s: spec.controlPlaneEndpoint %q: %w; write it like api.prod.internal:8443", ctx.Self.Name,
			ctx.Spec.ControlPlaneEndpoint, err)
	}
	if port == ctx.Layout.APIServer.Port && ctx.Self.ControlPlane {
		return "", fmt.Errorf("front door of %s: port %s is the API server's own; give spec.controlPlaneEndpoint another, like 8443",
			ctx.Self.Name, port)
	}
	if len(ctx.APIServers) == 0 {
		return "", fmt.Errorf("front door of %s: no API server to lead to; bring one up first", ctx.Self.Name)
	}
	return port, nil
}

// doorAddresses are those that the front door listens on.
func doorAddresses(ctx Context) []string {
	at := []string{"127.0.0.1"}
	if ctx.Self.ControlPlane || ctx.Self.LoadBalancer {
		at = append(at, ctx.Self.Address)
	}
	if ctx.Holds() {
		at = append(at, ctx.Spec.VIPAddress())
	}
	return at
}

func loadStream(ctx Context) string {
	module := ctx.StreamModule
	switch module {
	case "":
		module = ctx.Layout.FrontDoor.Stream
	case "builtin":
		return "# the stream module is built in"
	}
	return "load_module " + module + ";"
}

// nginxTemplate is nginx's. The zone lets all workers share what they know of a
// server; proxy_timeout is for quiet watches and shells, as dead peers are
// found by keep-alive. The PID file and the temporary folders lie below the prefix
// that the command line gives.
const nginxTemplate = `# Written by quorate; changes are overwritten.
%[1]s
worker_processes 2;
worker_rlimit_nofile 130048;
worker_shutdown_timeout 1h;
pid nginx.pid;
error_log stderr warn;

events {
  worker_connections 16384;
}

stream {
  upstream apiservers {
    zone apiservers 64k;
    least_conn;
%[2]s
  }
  server {
%[3]s
    proxy_pass apiservers;
    proxy_connect_timeout 1s;
    proxy_next_upstream on;
    proxy_next_upstream_timeout 5s;
    proxy_socket_keepalive on;
    proxy_timeout 24h;
    tcp_nodelay on;
  }
}

http {
  access_log off;
  server_tokens off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen %[4]s;
    default_type text/plain;
    location = /healthz { return 200 "ok\n"; }
    location = /quorate { return 200 "@QUORATE_CONFIG@\n"; }
    location = /status { stub_status; }
    location / { return 404; }
  }
}
`
