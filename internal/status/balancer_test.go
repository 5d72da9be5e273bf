package status

import (
	"testing"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/spec"
)

// What people read comes from the values that configure checks and pings.
func TestBalancerText(t *testing.T) {
	const election = "; where etcd leads, an election takes up to 2 s, and writes sent before its end "
	for _, c := range []struct {
		kind, flavour, flag, want string
	}{
		{"nginx", "systemd", "", "losing an API server's host: the cluster's own clients notice within 10 s, others by their own " +
			"time-outs (nginx has no health checks)" + election + "may time out"},
		{"builtin", "systemd", "", "losing an API server's host: front doors should notice within about 0.75 s (builtin, checks every " +
			"0.25 s)" + election + "may fail then\n  losing etcd on one API server's host only: connections to it are closed from " +
			"5.25 s on, a few at a time"},
		{"builtin", "systemd", "2s", "losing an API server's host: front doors should notice within about 0.75 s (builtin, checks every " +
			"0.25 s)" + election + "may fail then\n  losing etcd on one API server's host only: connections to it are closed from " +
			"5.25 s on, a few at a time"},
		{"builtin", "kubeadm", "", "losing an API server's host: front doors should notice within about 0.75 s (builtin, checks every " +
			"0.25 s)" + election + "may time out\n  losing etcd on one API server's host only: connections to it are closed from " +
			"5.25 s on, a few at a time"},
	} {
		file, _, err := spec.Parse("prod.yaml", spec.Init("prod"))
		if err != nil {
			t.Fatal(err)
		}
		file.Spec.LoadBalancer.Kind, file.Spec.Kubernetes.Flavour = c.kind, c.flavour
		if c.flag != "" {
			file.Spec.Components = map[string]spec.Component{"kube-apiserver": {
				ExtraArgs: map[string]spec.Values{"etcd-readycheck-timeout": {c.flag}}}}
		}
		v, err := artifact.Resolve(file.Spec.Kubernetes.Version, nil)
		if err != nil {
			t.Fatal(err)
		}
		g, err := goal.Build(file, goal.Artifacts{Versions: v}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var s Status
		s.balancer(&observe.Observation{Goal: g})
		if got := s.Balancer.text(); got != c.want {
			t.Errorf("%s, %s:\n%s\nwant\n%s", c.kind, c.flavour, got, c.want)
		}
	}
}
