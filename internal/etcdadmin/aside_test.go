package etcdadmin

import (
	"bufio"
	"strings"
	"testing"
)

func TestSessionsIn(t *testing.T) {
	const metrics = `# TYPE quorate_lb_backend_sessions gauge
quorate_lb_backend_sessions{backend="cp1",way="api"} 7
quorate_lb_backend_sessions{backend="cp1",way="etcd"} 3
quorate_lb_backend_sessions{backend="cp11",way="etcd"} 0
quorate_lb_sessions{way="etcd"} 5
`
	for backend, want := range map[string]int{"cp1": 3, "cp11": 0} {
		if n, err := sessionsIn(bufio.NewScanner(strings.NewReader(metrics)), backend); err != nil || n != want {
			t.Errorf("%s: %d, %v", backend, n, err)
		}
	}
	if _, err := sessionsIn(bufio.NewScanner(strings.NewReader(metrics)), "cp2"); err == nil {
		t.Error("what is not said counts as none")
	}
}
