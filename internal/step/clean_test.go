package step

import (
	"context"
	"slices"
	"strings"
	"testing"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/layout"
)

var _, _ Action = Stop{}, Clean{}

// A sweep is one named unit that gets the whole script; what it kept is told
// even when it failed later.
func TestSweep(t *testing.T) {
	h := hosttest.New("cp1")
	h.Handle(func(_ context.Context, c host.Cmd, stdin []byte) (host.Result, error) {
		if n := len(c.Args); c.Unit != "clean" || !slices.Equal(c.Args[n-2:], []string{"prod", "clean"}) {
			t.Errorf("ran %q as unit %q", c.Args, c.Unit)
		}
		if s := string(stdin); strings.Contains(s, "@LEFTOVERS@") || !strings.Contains(s, "/sbin/ip link delete cni0 2>/dev/null\n") {
			t.Error("the script lacks what the pod network leaves")
		}
		out, err := hosttest.Framed(stdin, "output", "kept /k\nleft /x, which quorate did not write\nnoise\n")
		if err != nil {
			t.Error(err)
		}
		return out, &host.ExitError{Host: "cp1", Args: c.Args, Code: 1, Stderr: "etcd.service does not stop"}
	}, "sh")
	swept, err := Sweep(t.Context(), h, layout.Systemd(), "prod")
	if err == nil || !strings.Contains(err.Error(), "etcd.service does not stop") {
		t.Errorf("got %v", err)
	}
	if swept.Kept != "/k" || !slices.Equal(swept.Left, []string{"/x, which quorate did not write"}) {
		t.Errorf("told %q", swept)
	}
}
