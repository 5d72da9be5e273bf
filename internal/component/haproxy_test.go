package component_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/component/componenttest"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/lblint"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// twoBalancers is the second of two load balancers, before three API servers.
func twoBalancers(change func(*spec.LoadBalancer)) component.Context {
	lb := spec.LoadBalancer{Kind: spec.HAProxyBalancer, VIP: &spec.VIP{Address: "192.0.2.100/24"}}
	change(&lb)
	file := spec.Default(&spec.Cluster{Spec: spec.Spec{LoadBalancer: lb, ControlPlaneEndpoint: "api.t.example:6443"}}, "/")
	ctx := component.Context{Cluster: "t", Spec: file.Spec, Layout: layout.Systemd(), Interface: "ens3"}
	for _, n := range []topology.Node{{Name: "cp2", Address: "192.0.2.12"}, {Name: "cp1", Address: "192.0.2.11"},
		{Name: "cp3", Address: "192.0.2.13"}} {
		n.ControlPlane = true
		ctx.APIServers = append(ctx.APIServers, n)
	}
	ctx.LoadBalancers = []topology.Node{{Name: "lb1", Address: "192.0.2.41", LoadBalancer: true},
		{Name: "lb2", Address: "192.0.2.42", LoadBalancer: true}}
	ctx.Self = ctx.LoadBalancers[1]
	return ctx
}

// rendered is what a service reads, with its stamp in place.
func rendered(t *testing.T, s workload.Service, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(s.Rendered()[0].Content)
}

// What is rendered for HAProxy and Keepalived is what doctor lb demands of others.
func TestSharedBalancer(t *testing.T) {
	known := lblint.Known{Addresses: map[string]string{"cp1": "192.0.2.11", "cp2": "192.0.2.12", "cp3": "192.0.2.13"}, Port: "6443"}
	secret := filepath.Join(t.TempDir(), "vrrp")
	for name, change := range map[string]func(*spec.LoadBalancer){
		"defaults": func(*spec.LoadBalancer) {},
		"options": func(lb *spec.LoadBalancer) {
			lb.VIP.PasswordFile, lb.VIP.Preempt, lb.VIP.VRID, lb.VIP.Interface = secret, true, 7, "bond0.12"
			lb.HAProxy = &spec.HAProxy{Balance: "source", ServerMaxConnections: 250, ServerMaxQueue: 256, StatsAdmin: true, IdleMinutes: 10}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := twoBalancers(change)
			ctx.VRRPPassword = "Pass1"
			s, err := component.HAProxy(ctx)
			k, kerr := component.Keepalived(ctx)
			for kind, text := range map[string]string{"haproxy": rendered(t, s, err), "keepalived": rendered(t, k, kerr)} {
				f, err := lblint.Lint(kind, []byte(text), known)
				if err != nil || f.Kind != kind || len(f.Findings) > 0 || kind == "haproxy" && !f.Leads {
					t.Errorf("%+v, %v", f, err)
				}
				componenttest.Golden(t, kind+"."+name+".txt", text)
			}
			componenttest.Golden(t, "kube-haproxy.lb2.txt", string(s.Rendered()[1].Content))
			componenttest.Golden(t, "kube-keepalived."+name+".txt", string(k.Rendered()[1].Content))
		})
	}
}

// card is a network interface of this machine that VRRP can use.
func card(t *testing.T) string {
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 && i.Flags&net.FlagMulticast != 0 {
			return i.Name
		}
	}
	t.Skip("this machine has no network interface but loopback")
	return ""
}

// The real programs take what is rendered, where they are installed.
func TestSharedBalancerIsValid(t *testing.T) {
	ctx := twoBalancers(func(lb *spec.LoadBalancer) { lb.VIP.Interface = card(t) })
	dir := t.TempDir()
	ctx.Layout.HAProxy.Run = dir
	ctx.Layout.PKI.CA.Cert = filepath.Join(dir, "ca.crt")
	shared, err := pki.NewShared(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ctx.Layout.PKI.CA.Cert, shared.CA.Cert, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := component.HAProxy(ctx)
	k, kerr := component.Keepalived(ctx)
	for program, text := range map[string]string{"haproxy": rendered(t, s, err), "keepalived": rendered(t, k, kerr)} {
		path, err := exec.LookPath(program)
		if err == nil { // as a lab host has it; without its libraries it does not run here
			err = exec.Command(path, "-v").Run()
		}
		if err != nil {
			t.Logf("%s is not installed", program)
			continue
		}
		file := filepath.Join(dir, program)
		if program == "haproxy" { // its user comes with the distribution's package
			text = strings.NewReplacer("  user haproxy\n", "", "  group haproxy\n", "").Replace(text)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(path, "-c", "-f", file)
		if program == "keepalived" {
			check := k.Verify[1] // sh -c SCRIPT sh PROGRAM FILE
			cmd = exec.Command(check[0], append(check[1:4:4], path, file)...)
		}
		cmd.Env = append(os.Environ(), "QUORATE_STATS_USER=u", "QUORATE_STATS_PASSWORD=p")
		if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "[WARNING]") {
			t.Errorf("%s: %v\n%s", program, err, out)
		}
		wrong := strings.NewReplacer("leastconn", "fastest", "virtual_router_id 51", "virtual_router_id 5100").Replace(text)
		if err := os.WriteFile(file, []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		again := exec.Command(cmd.Path, cmd.Args[1:]...)
		again.Env = cmd.Env
		if out, err := again.CombinedOutput(); err == nil || len(out) == 0 {
			t.Errorf("%s takes what is wrong, or does not say why: %v %q", program, err, out)
		}
	}
}

// A load balancer that comes or goes changes whom the others ask and hear; an API
// server changes HAProxy only.
func TestSharedBalancerChanges(t *testing.T) {
	stamps := func(ctx component.Context) (string, string) {
		s, err := component.HAProxy(ctx)
		k, kerr := component.Keepalived(ctx)
		if err != nil || kerr != nil {
			t.Fatal(err, kerr)
		}
		return s.Stamp(), k.Stamp()
	}
	was := twoBalancers(func(*spec.LoadBalancer) {})
	h, k := stamps(was)
	more := was
	more.LoadBalancers = append(more.LoadBalancers[:2:2], topology.Node{Name: "lb3", Address: "192.0.2.43"})
	if h2, k2 := stamps(more); h2 == h || k2 == k {
		t.Error("another load balancer: HAProxy or Keepalived did not change")
	}
	alone := was
	alone.LoadBalancers = was.LoadBalancers[1:]
	if s, err := component.HAProxy(alone); strings.Contains(rendered(t, s, err), "balancers") {
		t.Error("the only load balancer asks others")
	}
	fewer := was
	fewer.APIServers = was.APIServers[:2]
	if h2, k2 := stamps(fewer); h2 == h || k2 != k {
		t.Error("an API server less: Keepalived changed, or HAProxy did not")
	}
	if on := component.Table[model.HAProxy].On; !on(was) {
		t.Error("a host with the role load-balancer runs no HAProxy")
	}
}
