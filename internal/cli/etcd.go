package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/status"
)

// etcdCommand holds what concerns the cluster's database alone.
func etcdCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "etcd",
		Short: "Look after the cluster's database: its members, snapshots, space and alarms",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(etcdStatusCommand(), etcdMembersCommand(), snapshotCommand(), defragCommand(), alarmCommand(), recoverCommand(), restoreCommand())
	return cmd
}

// form is how a command that looks prints what it saw.
type form struct{ output string }

func (f *form) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text | json")
}

func (f *form) check() error {
	if f.output != "text" && f.output != "json" {
		return usageError{fmt.Errorf("--output %q: want text or json", f.output)}
	}
	return nil
}

// print writes text, or v as JSON.
func (f *form) print(cmd *cobra.Command, text string, v any) error {
	if f.output == "json" {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), text)
	return err
}

// verdict prints, and is the error of what is not well.
func (f *form) verdict(cmd *cobra.Command, text string, v any, well bool) error {
	if err := f.print(cmd, text, v); err != nil {
		return err
	}
	if !well {
		return errUnhealthy
	}
	return nil
}

func etcdStatusCommand() *cobra.Command {
	return etcdLook("status", "Show every member: who leads, how full and how far it is, and what is down",
		`Status asks every member for itself; one that does not answer is DOWN, with why.
It ends with 0 when all is well, and with 1 when something is down, an alarm is
raised, or etcd could not be asked.`,
		func(e status.Etcd) (string, bool) { return e.Text(), len(e.Problems()) == 0 })
}

func etcdMembersCommand() *cobra.Command {
	return etcdLook("members", "List the members, by a quorum's word",
		`Members shows etcd's own list. It ends with 1 when no quorum agreed to it, so
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
		Use: name, Short: short, Long: long, Args: cobra.NoArgs,
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
			return f.verdict(cmd, text, e, well)
		},
	}
	t.flags(cmd)
	f.flags(cmd)
	return cmd
}
