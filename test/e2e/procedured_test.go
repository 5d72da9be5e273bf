//go:build lab

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quorate.dev/quorate/internal/lab"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/spec"
)

// The targets of docs/trial.md, which are told and not asserted: how long a fault
// lasts hangs upon the machine.
const (
	targetVIP = time.Second // of kind builtin
	targetAPI = 3 * time.Second
)

// TestProcedureD: the trial that guides to HAProxy and Keepalived end with. The
// balancer on the host with the virtual address is stopped; then a load balancer,
// a control plane and a worker lose their power at once; then they return.
func TestProcedureD(t *testing.T) {
	if !allChanges {
		t.Skip("only with all changes (make test-all)")
	}
	for _, kind := range []string{spec.HAProxyBalancer, spec.BuiltinBalancer} {
		t.Run(kind, func(t *testing.T) { procedureD(t, kind) })
	}
}

// procedure is its cluster. The host outside is not of the cluster: it has the
// volume, and clients ask from it.
type procedure struct {
	*cluster
	kind, outside string
	through       string // a worker that stays
}

func procedureD(t *testing.T, kind string) {
	p := &procedure{cluster: newCluster(t, "procd", 3, 3, "--load-balancers", "2", "--etcd", "1"), kind: kind}
	p.outside, p.through = p.of(lab.RoleEtcd)[0], p.workers()[0]
	p.edit(t, func(f *spec.Cluster) {
		f.Spec.Etcd.Topology = "stacked"
		f.Spec.Hosts = slices.DeleteFunc(f.Spec.Hosts, func(h spec.Host) bool { return h.Name == p.outside })
	})
	p.behindVIP(t, kind)
	p.apply(t).want(t, 0)
	p.nothingToDo(t)
	p.steady(t)
	p.share(t)
	from := p.workers()[2]
	p.deploy(t, from)
	p.stopped(t)
	p.triple(t, from)
}

// steady: all hosts do their part.
func (p *procedure) steady(t *testing.T) {
	t.Helper()
	p.oneEtcd(t, p.controlPlanes()...)
	p.nodesReady(t, p.through, append(p.controlPlanes(), p.workers()...)...)
	for _, lb := range p.of(lab.RoleLoadBalancer) {
		p.rotates(t, lb, p.controlPlanes()...)
	}
}

// stopped stops the balancer of the host with the address, and heals it by apply.
func (p *procedure) stopped(t *testing.T) {
	owner := p.holder(t)
	t.Logf("%s stops on %s", p.unit(), owner)
	m := p.measure(t)
	begun := time.Now()
	p.on(t, owner, `systemctl stop "$1"`, p.unit())
	p.moved(t, owner)
	p.kubectlByAddress(t)
	m.stop(t, p, begun, "balancer stopped")
	p.plan(t).says(t, owner)
	p.apply(t).want(t, 0)
	p.nothingToDo(t)
	if now := p.holder(t); now == owner { // nobody takes it back, but on a slow machine the other may give it up
		t.Logf("%s has the address again", owner)
	}
	p.steady(t)
}

// triple takes the power from the host with the address, the control plane with
// etcd's leader and the worker with the pod, and gives it back.
func (p *procedure) triple(t *testing.T, from string) {
	dead := []string{p.holder(t), p.leader(t), from}
	t.Log("the power is taken from ", dead)
	m := p.measure(t)
	begun := time.Now()
	p.powers(t, false, dead...)
	p.moved(t, dead[0])
	p.kubectlByAddress(t)
	p.rotates(t, without(p.of(lab.RoleLoadBalancer), dead[0])[0], without(p.controlPlanes(), dead[1])...)
	t.Logf("%s is out of rotation %.1f s after the fault, at the latest", dead[1], time.Since(begun).Seconds())
	p.kubectl(t, p.through, "create", "configmap", "while-three-are-away")
	m.stop(t, p, begun, "three hosts off")
	run(t, p.dir, "status", "-f", p.File).says(t, dead...)
	p.counted(t, from)

	t.Log("the power is back")
	owner := p.holder(t)
	m = p.measure(t)
	begun = time.Now()
	p.powers(t, true, dead...)
	p.steady(t)
	p.onePod(t)
	t.Log(p.plan(t).out)
	p.nothingToDo(t)
	t.Logf("all is steady %.1f s after the return", time.Since(begun).Seconds())
	m.stop(t, p, begun, "three hosts back")
	if now := p.holder(t); now != owner {
		t.Logf("%s has the address: %s gave it up meanwhile", now, owner)
	}
	p.counted(t, from)
}

// powers is power for several hosts at once.
func (p *procedure) powers(t *testing.T, on bool, hosts ...string) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, len(hosts))
	for i, h := range hosts {
		wg.Go(func() {
			if on {
				errs[i] = p.PowerOn(t.Context(), h)
			} else {
				errs[i] = p.PowerOff(t.Context(), h, true)
			}
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("%s: %v", hosts[i], err)
		}
	}
}

// unit is the balancer's.
func (p *procedure) unit() string {
	if p.kind == spec.BuiltinBalancer {
		return "quorate-lb"
	}
	return "kube-haproxy"
}

// kubectlByAddress asks the virtual address itself: on a node the endpoint's name
// may lead to the node's own load balancer.
func (p *procedure) kubectlByAddress(t *testing.T) {
	t.Helper()
	p.kubectl(t, p.through, "--server=https://"+p.vip()+":8443", "--tls-server-name=api."+p.Name+".lab", "get", "nodes")
}

// rotates polls until a load balancer leads to just these API servers, by its own
// account.
func (p *procedure) rotates(t *testing.T, lb string, want ...string) {
	t.Helper()
	port := layout.Systemd().HAProxy.HealthPort
	script := `curl -sS -m 5 "http://127.0.0.1:$1/servers;csv" | awk -F, '$1 == "apiservers" && $2 != "BACKEND" && $18 ~ /^UP/ { print $2 }'`
	if p.kind == spec.BuiltinBalancer {
		port = layout.Systemd().Balancer.HealthPort
		script = `curl -sS -m 5 "http://127.0.0.1:$1/metrics" |
			sed -n 's/^quorate_lb_backend_state{backend="\([^"]*\)",state="ready",way="api"} 1$/\1/p'`
	}
	eventually(t, fmt.Sprintf("%s leads to %v", lb, want), func() error {
		out, err := p.try(t.Context(), lb, script, port)
		if err == nil && !same(strings.Fields(out), want) {
			err = fmt.Errorf("it leads to %q", out)
		}
		return err
	})
}
