package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/status"
	"quorate.dev/quorate/internal/step"
)

// errUnhealthy makes `status` end with 1 when something is down; it says why
// itself.
var errUnhealthy = errors.New("something is down")

func statusCommand() *cobra.Command {
	var t target
	var f form
	cmd := &cobra.Command{
		Use: "status", Example: "  quorate status -f prod.yaml\n  quorate status -f prod.yaml -o json",
		Short: "Show the cluster's health and what losing any one host would do",
		Long: `Status observes the hosts and changes nothing; it works with hosts down, and says
what could not be reached. It exits with 0 when all is well, and with 1 when
something is down or could not be reached. Pending changes, and certificates
that will soon be renewed, are listed and do not count as down.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := t.openWith(cmd.Context(), cmd, told)
			if err != nil {
				return err
			}
			defer s.close()
			ob, err := s.engine.Look(cmd.Context())
			if err != nil {
				return err
			}
			p := plan.Make(ob.Have, ob.Goal.Want, step.Rules())
			st := status.Of(ob, &p, "", time.Now())
			text := st.Text()
			if ob.Have.QuorumLost() {
				text += fmt.Sprintf("\nnext: %s\n", wayBack(cmd, ob.Have))
			}
			return f.verdict(cmd, text, "status", st, st.Healthy)
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	return cmd
}
