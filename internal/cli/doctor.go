package cli

import (
	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/cis"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
)

// doctorCommand holds what judges hosts without a plan.
func doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Example: "  quorate doctor hosts -f prod.yaml\n  quorate doctor lb haproxy.cfg\n  quorate doctor refs -f prod.yaml",
		Short: "Check hosts, load balancers and references without a plan",
		Args:  cobra.ArbitraryArgs, RunE: subcommands,
	}
	cmd.AddCommand(hostsCommand(), cisCommand(), doctorLBCommand(), doctorRefsCommand())
	return cmd
}

func cisCommand() *cobra.Command {
	var t target
	var f form
	cmd := &cobra.Command{
		Use: "cis", Example: "  quorate doctor cis -f prod.yaml\n  quorate doctor cis -f prod.yaml -o json",
		Short: "Check the hosts against the CIS Kubernetes benchmark",
		Long: `Cis walks sections 1 to 4 of the CIS Kubernetes benchmark, numbered as kube-bench's
cis-1.12 numbers it. It changes nothing, and judges what it sees on the hosts:
processes' arguments, modes and owners of files, configurations. Checks that the
benchmark leaves to a person are marked; where something can be seen, it is
judged all the same. docs/security.md argues about those that do not pass.
It ends with 0 when no automated check fails, else with 1; also when a host could
not be asked.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := t.openWith(cmd.Context(), cmd, noArtifacts)
			if err != nil {
				return err
			}
			defer s.close()
			r := cis.Walk(cmd.Context(), goal.LayoutOf(s.file), s.targets())
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			return f.verdict(cmd, r.Text(), "cis", r, r.Passed())
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	return cmd
}

// targets are the file's hosts with their roles.
func (s *session) targets() (out []cis.Target) {
	for _, h := range s.file.Spec.Hosts {
		id := model.HostID(h.Name)
		t := cis.Target{ID: id, Host: s.hosts[id]}
		if h.Has(spec.RoleControlPlane) {
			t.Roles |= model.ControlPlane
		}
		if h.Has(spec.RoleWorker) {
			t.Roles |= model.Worker
		}
		for _, e := range s.file.EtcdHosts() {
			if e.Name == h.Name {
				t.Roles |= model.EtcdHost
			}
		}
		out = append(out, t)
	}
	return out
}
