package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/spec"
)

func resetCommand() *cobra.Command {
	var t target
	var yes, outage bool
	var f form
	cmd := &cobra.Command{
		Use:   "reset [HOST...]",
		Short: "Remove everything that quorate installed on the hosts, and nothing else",
		Long: `Reset removes the cluster from all hosts of the file, or from those named, after
you have typed its name. Keys, etcd's data and configuration are not deleted but moved to
` + layout.Quorate().Kept + ` on each host. It can be repeated after any interruption;
afterwards the hosts are ready for a new apply.

To take one host out of a living cluster, remove it from the file and apply
instead: that moves its duties elsewhere first.`,
		Example: `  quorate reset -f prod.yaml
  quorate reset -f prod.yaml w3`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := t.openWith(cmd.Context(), cmd, noArtifacts)
			if err != nil {
				return err
			}
			defer s.close()
			if err := ownOnly(s.file, "reset", "kubeadm reset on each host"); err != nil {
				return err
			}
			ids, err := resetHosts(s.file, args)
			if err != nil {
				return err
			}
			if len(args) > 0 {
				ob, err := s.engine.Look(cmd.Context())
				if err != nil {
					return err
				}
				fatal, says := lossOf(ob, ids)
				for _, l := range says {
					fmt.Fprintln(cmd.ErrOrStderr(), "warning:", l)
				}
				if fatal && !outage {
					return fmt.Errorf("%w: the cluster would stop; to proceed, pass --accept-outage", errRefused)
				}
			}
			if !yes {
				name := s.file.Metadata.Name
				if err := typed(cmd, fmt.Sprintf("This removes the cluster %s from %s.\nType the cluster's name to confirm: ", name, hostList(ids)),
					name); err != nil {
					return err
				}
			}
			return s.reset(cmd, f, ids)
		},
	}
	t.flags(cmd)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for the cluster's name")
	cmd.Flags().BoolVar(&outage, "accept-outage", false, "accept that the rest of the cluster stops")
	f.flags(cmd, "(one event a line)")
	verboseFlag(cmd)
	return cmd
}

// ownOnly refuses what was not tried yet on clusters that others have made, and
// says what to use there.
func ownOnly(file *spec.Cluster, what, instead string) error {
	if file.Spec.Adopted == nil {
		return nil
	}
	return fmt.Errorf("%w: %s is not built for adopted clusters yet; use %s", errRefused, what, instead)
}

// reset does it, under the cluster's lock. Workers alone can be reset while no
// control plane answers: then there is nobody to ask for the lock.
func (s *session) reset(cmd *cobra.Command, f form, ids []model.HostID) error {
	w := s.watch(cmd, f, "reset")
	defer w.close()
	ctx, release, err := s.engine.Lock(cmd.Context(), "reset")
	var held engine.Held
	switch {
	case errors.As(err, &held), cmd.Context().Err() != nil:
		return w.end(cmd.Context(), err)
	case err != nil:
		ctx, release = cmd.Context(), func() {}
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", err)
	}
	defer release()
	return w.end(ctx, s.engine.Reset(ctx, ids...))
}

// resetHosts are those named, or all.
func resetHosts(file *spec.Cluster, names []string) ([]model.HostID, error) {
	var ids []model.HostID
	for _, h := range file.Spec.Hosts {
		if len(names) == 0 || slices.Contains(names, h.Name) {
			ids = append(ids, model.HostID(h.Name))
		}
	}
	for _, n := range names {
		if _, ok := file.Host(n); !ok {
			return nil, usageError{fmt.Errorf("the file names no host %q", n)}
		}
	}
	return ids, nil
}

// lossOf says what resetting some hosts does to the rest of the cluster.
func lossOf(ob *observe.Observation, ids []model.HostID) (fatal bool, says []string) {
	before := ob.Have.Health()
	after := ob.Have.Clone()
	var members []string
	for _, id := range ids {
		if ob.Have.Hosts[id].Etcd.Member.Is(model.Voter) {
			members = append(members, string(id))
		}
		after.Edit(id, func(h *model.Host) { h.Reached = model.Unknown[bool]("reset") })
	}
	health := after.Health()
	if before.Etcd && !health.Etcd {
		says = append(says, "etcd would lose its quorum")
	}
	if before.API && !health.API {
		says = append(says, "no API server would answer")
	}
	for _, id := range health.Stranded {
		if !slices.Contains(before.Stranded, id) && !slices.Contains(ids, id) {
			says = append(says, fmt.Sprintf("%s would reach no API server", id))
		}
	}
	fatal = len(says) > 0
	if len(members) > 0 && !fatal {
		says = append(says, fmt.Sprintf("%s would stay on etcd's member list as lost; removing it from the file and `quorate apply` is "+
			"the way without that", strings.Join(members, ", ")))
	}
	return fatal, says
}

// typed asks a question whose answer must be the name at stake.
func typed(cmd *cobra.Command, question, name string) error {
	line, err := answer(cmd, question)
	if err == nil && line != name {
		err = fmt.Errorf("%w: %q is not %q", errRefused, line, name)
	}
	return err
}

func hostList(ids []model.HostID) string {
	s := make([]string, len(ids))
	for i, id := range ids {
		s[i] = string(id)
	}
	return strings.Join(s, ", ")
}
