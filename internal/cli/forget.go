package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
)

func forgetCommand() *cobra.Command {
	var t target
	var f form
	var yes bool
	cmd := &cobra.Command{
		Use:   "forget HOST",
		Short: "Stop tracking a removed host that cannot be cleaned up",
		Long: `A host that is taken out of the file is cleaned by apply. One that is dead by
then cannot be: the cluster remembers it, and plan and status name it, until it
has been seen clean. Forget is for one that never comes back. It changes nothing on
the host, and says what stays there.`,
		Example: "  quorate forget -f prod.yaml old1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := t.openWith(cmd.Context(), cmd, noArtifacts)
			if err != nil {
				return err
			}
			defer s.close()
			return s.forget(cmd, f, model.HostID(args[0]), yes)
		},
	}
	t.flags(cmd)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for the host's name")
	f.flags(cmd, "")
	return cmd
}

// forget asks before the lock is taken, and looks again under it.
func (s *session) forget(cmd *cobra.Command, f form, id model.HostID, yes bool) error {
	if _, named := s.file.Host(string(id)); named {
		return engine.NotForgottenError{Host: id, Why: "the file names it; take it out of the file and apply first"}
	}
	ob, err := s.engine.Look(cmd.Context())
	if err != nil {
		return err
	}
	left, err := engine.Forgettable(ob, id)
	if err != nil {
		return err
	}
	if !yes {
		if err := typed(cmd, remains(left)+"\nType the host's name to confirm: ", string(id)); err != nil {
			return err
		}
	}
	ctx, release, err := s.engine.Lock(cmd.Context(), "forget "+string(id))
	if err != nil {
		return err
	}
	defer release()
	if ob, err = s.engine.Look(ctx); err != nil {
		return err
	}
	if left, err = engine.Forgettable(ob, id); err != nil {
		return err
	}
	if err := s.engine.Forget(ctx, ob, id); err != nil {
		return err
	}
	if yes {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning:", remains(left))
	}
	return f.print(cmd, fmt.Sprintf("%s is no longer tracked\n", id), "forgotten",
		forgottenDoc{Host: left.Name, Address: left.Address, Remains: remains(left)})
}

// remains says what a host keeps that nobody cleaned.
func remains(d kubeapi.Departed) string {
	what := "the certificate of a node, and the data of its pods"
	if len(d.Roles) == 0 || slices.Contains(d.Roles, spec.RoleControlPlane) || slices.Contains(d.Roles, spec.RoleEtcd) {
		what = "the keys of this cluster, with which anybody can be its administrator, and all of etcd's data"
	}
	return fmt.Sprintf("%s (%s) was not seen clean: it may still hold %s. Wipe its disk before it runs again or leaves your hands.",
		d.Name, d.Address, what)
}
