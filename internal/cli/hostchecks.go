package cli

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/hostcheck"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/plan"
)

func hostsCommand() *cobra.Command {
	var t target
	var f form
	cmd := &cobra.Command{
		Use: "hosts", Example: "  quorate doctor hosts -f prod.yaml\n  quorate doctor hosts -f prod.yaml -o json",
		Short: "Check whether the machines of the file can be hosts of a cluster",
		Long: `Hosts shows all that stands in the way on all hosts at once, each with what to do:
processors, memory, space, how fast etcd's disk keeps a write, names and addresses
that two machines share, routes, MTU, ports that a filter keeps shut, and what a
plan would be blocked by. On hosts of etcd it writes a small file and deletes it.
What blocks keeps a cluster from working; warnings are for a person to judge. Plan
and apply make the same checks of hosts that are new.
It ends with 0 when nothing was found, else with 1.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := t.openFor(cmd, f)
			if err != nil {
				return err
			}
			defer s.close()
			ob, err := s.engine.Look(cmd.Context())
			if err != nil {
				return err
			}
			r := s.lookAtHosts(cmd, ob, true)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			r.Findings = append(obstacles(ob), r.Findings...)
			return f.verdict(cmd, r.Text(), "hosts", r, r.Well())
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	return cmd
}

// obstacles are what a plan is blocked by, or leaves out.
func obstacles(ob *observe.Observation) (out []hostcheck.Finding) {
	for _, id := range ob.IDs() {
		h := ob.Have.Hosts[id]
		if what := h.Obstacle.Or(""); what != "" {
			out = append(out, hostcheck.Finding{Host: id, Check: "plan", Level: hostcheck.Blocks, Seen: what})
		}
		if h.LeftOut != "" {
			out = append(out, hostcheck.Finding{Host: id, Check: "plan", Level: hostcheck.Warns, Seen: h.LeftOut})
		}
	}
	return out
}

// lookAtHosts checks the hosts of the file that answered.
func (s *session) lookAtHosts(cmd *cobra.Command, ob *observe.Observation, measure bool) hostcheck.Report {
	return hostcheck.Look(cmd.Context(), s.candidates(ob), hostcheck.Options{Layout: goal.LayoutOf(s.file), Measure: measure,
		Resolv: func(id model.HostID) string { return ob.Facts[id].ResolvConf }})
}

// candidates are the hosts of the file.
func (s *session) candidates(ob *observe.Observation) (out []hostcheck.Target) {
	for _, t := range s.targets() {
		f := ob.Facts[t.ID]
		c := hostcheck.Target{ID: t.ID, Host: t.Host, Roles: t.Roles, Address: ob.Goal.Hosts[t.ID].Node.Address,
			New: f.Err == nil && f.Marker == "" && !ob.Goal.Hosts[t.ID].Found}
		if f.Err != nil {
			c.Away = f.Err.Error()
		}
		out = append(out, c)
	}
	return out
}

// checkNew checks new hosts before anything is changed: what blocks becomes a part
// of the plan, and warnings are said. Without new hosts nobody is asked.
func (s *session) checkNew(cmd *cobra.Command, ob *observe.Observation, p *plan.Plan, ignored []string, measure bool) {
	if !slices.ContainsFunc(s.candidates(ob), func(t hostcheck.Target) bool { return t.New }) {
		return
	}
	r := s.lookAtHosts(cmd, ob, measure)
	for _, f := range r.Blocking(ignored) {
		p.Blocked = append(p.Blocked, plan.Refused{Step: plan.About{Kind: "check", Host: f.Host, Title: "check the host"},
			Err: errors.New(f.Seen + "; " + f.Fix + ", or pass --ignore-host-checks " + f.Check)})
	}
	for _, f := range r.Warnings(ignored) {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s: %s; %s\n", f.Host, f.Seen, f.Fix)
	}
}

func ignoreFlag(cmd *cobra.Command, into *[]string) {
	cmd.Flags().StringSliceVar(into, "ignore-host-checks", nil, "go on although these checks of new hosts block (their names are in "+
		"`quorate doctor hosts`), or all")
}
