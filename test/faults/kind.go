package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/template"
)

// kind is a cluster under test: how it is made, and where its clients ask.
type kind struct {
	name string
	// spec changes the cluster file's spec.
	spec func(map[string]any)
	// port is that of the load balancer, on 127.0.0.1 of every host.
	port string
	// begin does what quorate does not, once the cluster is there.
	begin func(context.Context, *cluster) error
	// seconds is how long clients ask: as long as the longest gap, and some more.
	seconds float64
}

func nothing(context.Context, *cluster) error { return nil }

func balanced(name string, seconds float64) kind {
	return kind{name, func(spec map[string]any) { spec["loadBalancer"] = map[string]any{"kind": name} }, "8443", nothing, seconds}
}

func kinds() []kind {
	return []kind{
		balanced("builtin", 30),
		balanced("nginx", 60), // clients' pings give a silent server up after 45 s
		{"kubeadm+haproxy", func(spec map[string]any) {
			spec["kubernetes"].(map[string]any)["flavour"] = "kubeadm"
			spec["loadBalancer"] = map[string]any{"kind": "nginx"}
		}, "9443", tunedHAProxy, 30},
	}
}

func kindNames() (out []string) {
	for _, k := range kinds() {
		out = append(out, k.name)
	}
	return out
}

func findKind(name string) (kind, error) {
	all := kinds()
	if i := slices.IndexFunc(all, func(k kind) bool { return k.name == name }); i >= 0 {
		return all[i], nil
	}
	return kind{}, fmt.Errorf("there is no kind %q; known are %s", name, strings.Join(kindNames(), ", "))
}

// haproxyConf is what careful people write by hand: readiness asked over TLS
// every second, twice before a server is out, and its connections ended then.
var haproxyConf = template.Must(template.New("").Parse(`
global
  maxconn 4000
defaults
  mode tcp
  timeout connect 1s
  timeout client 1h
  timeout server 1h
  timeout check 1s
  option redispatch
  retries 2
frontend api
  bind 127.0.0.1:9443
  default_backend servers
backend servers
  balance leastconn
  option httpchk GET /readyz
  http-check expect status 200
  default-server check check-ssl verify none inter 1s fall 2 rise 2 on-marked-down shutdown-sessions
{{range $name, $address := .}}  server {{$name}} {{$address}}:6443
{{end}}`))

// tunedHAProxy puts a HAProxy on every host, in front of the API servers that
// kubeadm's phases made. The hosts' own components go through quorate's front
// door; the clients that are counted go through HAProxy.
func tunedHAProxy(ctx context.Context, c *cluster) error {
	servers := map[string]string{}
	for name, address := range c.addresses {
		if strings.HasPrefix(name, "cp") {
			servers[name] = address
		}
	}
	var conf strings.Builder
	if err := haproxyConf.Execute(&conf, servers); err != nil {
		return err
	}
	for host := range c.addresses {
		_, err := c.exec(ctx, host, strings.NewReader(conf.String()), "sh", "-c", `cat >/etc/haproxy-faults.cfg &&
			haproxy -c -f /etc/haproxy-faults.cfg >/dev/null && cat >/etc/systemd/system/haproxy-faults.service <<-end &&
			[Service]
			ExecStart=/usr/sbin/haproxy -db -f /etc/haproxy-faults.cfg
			Restart=always
			[Install]
			WantedBy=multi-user.target
			end
			systemctl daemon-reload && systemctl enable -q --now haproxy-faults`)
		if err != nil {
			return fmt.Errorf("HAProxy on %s: %w", host, err)
		}
	}
	return nil
}
