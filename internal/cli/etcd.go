package cli

import (
	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/status"
)

// etcdCommand holds what concerns the cluster's database alone.
func etcdCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "etcd", Example: "  quorate etcd status -f prod.yaml",
		Short: "Members, snapshots, space and alarms of the cluster's database",
		Args:  cobra.ArbitraryArgs, RunE: subcommands,
	}
	cmd.AddCommand(etcdStatusCommand(), etcdMembersCommand(), snapshotCommand(), defragCommand(), alarmCommand(), recoverCommand(),
		restoreCommand())
	return cmd
}

func etcdStatusCommand() *cobra.Command {
	return etcdLook("status", "Show every member: leader, database size, raft progress, and what is down",
		`Status asks every member for itself; one that does not answer is DOWN, with why.
It ends with 0 when all is well, and with 1 when something is down, an alarm is
raised, or etcd could not be reached.`,
		func(e status.Etcd) (string, bool) { return e.Text(), len(e.Problems()) == 0 })
}

func etcdMembersCommand() *cobra.Command {
	return etcdLook("members", "List members (quorum read)",
		`Members shows etcd's own list. It exits with 1 when no quorum agreed to it, so
that it may be old.`,
		func(e status.Etcd) (string, bool) {
			if e.Err != "" {
				return e.Text(), false
			}
			return e.MembersText(), e.Agreed
		})
}

func etcdLook(name, short, long string, show func(status.Etcd) (text string, well bool)) *cobra.Command {
	var t target
	var f form
	cmd := &cobra.Command{
		Use: name, Short: short, Long: long, Example: "  quorate etcd " + name + " -f prod.yaml", Args: cobra.NoArgs,
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
			e := status.EtcdOf(ob)
			text, well := show(e)
			return f.verdict(cmd, text, "etcd", e, well)
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	return cmd
}
