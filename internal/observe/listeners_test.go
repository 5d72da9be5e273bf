package observe

import (
	"slices"
	"testing"
)

// A listener is known by the service that its process belongs to: the units
// are asked a moment before the sockets, and a service may start in between.
func TestListeners(t *testing.T) {
	const sockets = `LISTEN 0 4096 *:6443 *:* users:(("kube-apiserver",pid=1773,fd=3))
LISTEN 0 511 127.0.0.1:8443 0.0.0.0:* users:(("nginx",pid=20,fd=5),("nginx",pid=19,fd=5))
LISTEN 0 5 0.0.0.0:10250 0.0.0.0:* users:(("socat",pid=77,fd=5))
ESTAB 0 0 192.0.2.21:41226 192.0.2.66:6443 users:(("kubelet",pid=99,fd=3))
LISTEN 0 4096 127.0.0.1:10257 0.0.0.0:* users:(("kube-controller",pid=9161,fd=3))
LISTEN 0 4096 127.0.0.1:10259 0.0.0.0:* users:(("kube-scheduler",pid=9162,fd=3))
LISTEN 0 128 [::]:22 [::]:*`
	const groups = `/proc/1/cgroup:0::/lab/cp1/init.scope
/proc/1773/cgroup:0::/lab/cp1/system.slice/kube-apiserver.service
/proc/19/cgroup:1:name=systemd:/lab/cp1/system.slice/kube-nginx.service
/proc/9161/cgroup:1:name=systemd:/lab/cp1/kubepods/burstable/pod4f1/5d0c
/proc/9162/cgroup:0::/lab/cp1/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod4f2.slice/cri-containerd-5d0d.scope
/dev/null:x`
	got := listeners(sockets, owners(groups))
	want := []Listener{{"6443", "kube-apiserver", 1773, "kube-apiserver"}, {"8443", "nginx", 19, "kube-nginx"}, {"10250", "socat", 77, ""},
		{"10257", "kube-controller", 9161, podsGroup}, {"10259", "kube-scheduler", 9162, podsGroup}, {Port: "22"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The exploit: processes choose their names, with quotes and line breaks in
// them, and users the names of their own control groups.
func TestForgedListeners(t *testing.T) {
	const groups = `/proc/1/cgroup:0::/init.scope
/proc/8/cgroup:0::/system.slice/etcd.service
/proc/20/cgroup:0::/user.slice/user-1000.slice/user@1000.service/app.slice/etcd.service`
	for sockets, want := range map[string][]Listener{
		`LISTEN 0 5 0.0.0.0:2379 0.0.0.0:* users:(("",pid=8,fd=3))",pid=20,fd=5))`:            {{"2379", "", 20, ""}},
		"LISTEN 0 5 0.0.0.0:2379 0.0.0.0:* users:((\"\",pid=8,fd=3))\n\",pid=20,fd=5))":       {{"2379", "", 20, ""}},
		"LISTEN 0 5 0.0.0.0:9 0.0.0.0:* users:((\"\nLISTEN 0 1 :1 \",pid=20,fd=5))":           {{"9", " LISTEN 0 1 :1 ", 20, ""}},
		"LISTEN 0 5 *:9 *:* users:((\"a\",pid=20,fd=5),(\"\nLISTEN 0 1 a:\",pid=21,fd=5))":    {{"9", "a", 21, ""}},
		"LISTEN 0 5 *:9 *:* users:((\"\nESTAB 0 0 a b\",pid=20,fd=5))":                        {{"9", " ESTAB 0 0 a b", 20, ""}},
		"LISTEN 0 5 *:9 *:* users:((\"x\",pid=8,fd=3))\nESTAB 0 0 192.0.2.1:7 192.0.2.2:6443": {{"9", "x", 8, "etcd"}},
		"LISTEN 0 5 *:9 *:* users:((\"x\",pid=20,fd=5))\nLISTEN 0 5 [::1]:2379 [::]:* users:((\"e\",pid=8,fd=3))": {{"9", "x", 20, ""},
			{"2379", "e", 8, "etcd"}},
	} {
		if got := listeners(sockets, owners(groups)); !slices.Equal(got, want) {
			t.Errorf("%q: %+v, want %+v", sockets, got, want)
		}
	}
}
