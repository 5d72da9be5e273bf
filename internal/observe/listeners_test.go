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
LISTEN 0 128 [::]:22 [::]:*`
	const groups = `/proc/1773/cgroup:kube-apiserver.service
/proc/19/cgroup:kube-nginx.service
/dev/null:x`
	var f Facts
	f.listeners(sockets, owners(groups))
	want := []Listener{{"6443", "kube-apiserver", 1773, "kube-apiserver"}, {"8443", "nginx", 20, "kube-nginx"}, {"10250", "socat", 77, ""},
		{Port: "22"}}
	if !slices.Equal(f.Listeners, want) {
		t.Errorf("got %+v, want %+v", f.Listeners, want)
	}
}
