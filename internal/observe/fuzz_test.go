package observe

import (
	"testing"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/workload"
)

// FuzzProbe: nothing that a host answers makes the reading of it panic.
func FuzzProbe(f *testing.F) {
	f.Add("units", "Id=etcd.service\nActiveState=active\nMainPID=7\n\n", "stamps", "/proc/7/environ:QUORATE_CONFIG=x")
	f.Add("pods", "etcd 7 100 1000.0 1000.0", "containers", `{"containers":[{"createdAt":"1"}]}`)
	f.Add("recovery", `{"id":"a"}`, "superseded", "a1 b2 2026-01-01T00:00:00Z AAAA")
	f.Add("stored", "/a\n/b", "programs", "x /a")
	f.Add("wal", "AAAA", "data", "yes")
	f.Add("conflist", `{"plugins":[{"ipam":{"ranges":[[]]}}]}`, "routes", "route replace 0.0.0.0/1 via x")
	f.Add("kubelet", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "now", "1e999")
	f.Add("file /etc/kubernetes/pki/ca.crt", "x", "balancer", "door x\ndigest \nfile ")
	at := layout.Systemd()
	f.Fuzz(func(t *testing.T, one, first, two, second string) {
		frames := host.NewFrames()
		answer, err := frames.Parse(frames.Print("data", "yes", one, first, two, second))
		if err != nil {
			return // a part twice, or a name that is none
		}
		facts, err := parse(answer, at)
		if err != nil {
			return
		}
		subnet(facts.Conflist)
		for _, w := range component.Watched(at) {
			workload.Read(map[string]string{one: first, two: second}, []workload.Watch{w})
		}
	})
}

// FuzzSockets: no answer of ss gives a process of a user to one of the system's
// services, whatever the process calls itself.
func FuzzSockets(f *testing.F) {
	f.Add("x", "y")
	f.Add("\",pid=8,fd=3))", "\nLISTEN 0 1 :1 ")
	f.Add("\nLISTEN 0 5 a:", "\nESTAB 0 0 a b")
	groups := "/proc/8/cgroup:0::/system.slice/etcd.service\n/proc/4321/cgroup:0::/user.slice/user@1000.service/etcd.service"
	f.Fuzz(func(t *testing.T, one, two string) {
		one, two = one[:min(len(one), 15)], two[:min(len(two), 15)] // TASK_COMM_LEN
		users := ` users:(("` + one + `",pid=4321,fd=3),("` + two + `",pid=4321,fd=3))`
		for _, l := range listeners("LISTEN 0 5 0.0.0.0:2379 0.0.0.0:*"+users, owners(groups)) {
			if l.Unit != "" || l.PID != 0 && l.PID != 4321 {
				t.Errorf("%q, %q: %+v", one, two, l)
			}
		}
		if got := peers("ESTAB 0 0 192.0.2.1:9 192.0.2.66:6443"+users, 812); len(got) > 0 {
			t.Errorf("%q, %q: connections to %q", one, two, got)
		}
	})
}
