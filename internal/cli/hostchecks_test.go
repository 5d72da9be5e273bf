package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/artifact"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/host/hosttest"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/spec"
)

// A new control plane with one processor blocks a plan until that is ignored; one
// that is set up is not even asked.
func TestNewHostsAreChecked(t *testing.T) {
	file, _, err := spec.Parse("t.yaml", []byte(`apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: t}
spec:
  kubernetes: {version: v1.36.3}
  controlPlaneEndpoint: api.t.example:8443
  hosts:
    - {name: cp1, address: 192.0.2.11, roles: [control-plane]}
`))
	if err != nil {
		t.Fatal(err)
	}
	versions, err := artifact.Resolve(file.Spec.Kubernetes.Version, nil)
	if err != nil {
		t.Fatal(err)
	}
	g, err := goal.Build(file, goal.Artifacts{Versions: versions}, nil)
	if err != nil {
		t.Fatal(err)
	}
	machine := hosttest.New("cp1")
	machine.Handle(func(_ context.Context, _ host.Cmd, stdin []byte) (host.Result, error) {
		return hosttest.Framed(stdin, "cpus", "1", "route", "eth0", "selinux", "1")
	}, "sh")
	s := &session{file: file, hosts: map[model.HostID]host.Host{"cp1": machine}}
	var says bytes.Buffer
	cmd := &cobra.Command{}
	cmd.SetErr(&says)
	cmd.SetContext(t.Context())
	check := func(marker string, ignored ...string) plan.Plan {
		says.Reset()
		var p plan.Plan
		s.checkNew(cmd, &observe.Observation{Goal: g, Facts: map[model.HostID]observe.Facts{"cp1": {Marker: marker}}}, &p, ignored, true)
		return p
	}
	p := check("")
	if len(p.Blocked) != 1 || !strings.Contains(p.Blocked[0].Reason(), "cp1: 1 CPU; a control plane needs 2; give it another one, or pass "+
		"--ignore-host-checks cpus") || !strings.Contains(says.String(), "warning: cp1: SELinux is enforcing; ") {
		t.Errorf("%v\n%s", p.Blocked, says.String())
	}
	if p := check("", "cpus"); len(p.Blocked) > 0 || !strings.Contains(says.String(), "warning: cp1: 1 CPU") {
		t.Errorf("%v\n%s", p.Blocked, says.String())
	}
	before := len(machine.Calls())
	if p := check("t"); len(p.Blocked) > 0 || says.Len() > 0 || len(machine.Calls()) != before {
		t.Errorf("%v\n%s", p.Blocked, says.String())
	}
}
