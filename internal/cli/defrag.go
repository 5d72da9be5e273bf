package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/etcdadmin"
	"quorate.dev/quorate/internal/model"
)

func defragCommand() *cobra.Command {
	var t target
	var f form
	var only string
	var outage, compact bool
	cmd := &cobra.Command{
		Use: "defrag", Example: "  quorate etcd defrag -f prod.yaml --host cp2",
		Short: "Defragment etcd, one member at a time",
		Long: `Defrag works on one member at a time, followers first; the leader hands over
leadership before its turn. All members must serve before the next one starts. It
is refused while a member is down, unless --host names one without which the
others have a quorum. A database that has reached its quota needs --compact, for
the API server, which forgets history every five minutes, cannot do it then.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := t.openFor(cmd, f, only)
			if err != nil {
				return err
			}
			defer s.close()
			var done []etcdadmin.Defragged
			err = s.maintain(cmd, f, "etcd defrag", "defrag", true, func(ctx context.Context, g *etcdadmin.Guard) (any, error) {
				order, err := g.Order(model.HostID(only), outage)
				if err == nil && compact {
					err = g.Compact(ctx)
				}
				if err == nil {
					done, err = g.Defrag(ctx, order)
				}
				return map[string]any{"members": done}, err
			})
			if !f.json() && len(done) > 0 {
				w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "HOST\tBEFORE\tAFTER")
				for _, d := range done {
					fmt.Fprintf(w, "%s\t%s\t%s\n", d.Host, mib(d.Before), mib(d.After))
				}
				w.Flush()
			}
			return err
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	cmd.Flags().StringVar(&only, "host", "", "defragment only the member on this host")
	cmd.Flags().BoolVar(&compact, "compact", false, "compact all history first; watches that lag behind must restart")
	cmd.Flags().BoolVar(&outage, "accept-outage", false, "accept that the only member does not answer meanwhile")
	return cmd
}

func alarmCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "alarm", Example: "  quorate etcd alarm list -f prod.yaml",
		Short: "List and disarm etcd's alarms",
		Long: `etcd raises NOSPACE when a database has reached its quota: nothing can be written
any more, deleting works; and CORRUPT when a member's data differs from the
others'. An alarm stays until it is disarmed, also when its cause is gone.`,
		Args: cobra.ArbitraryArgs, RunE: subcommands,
	}
	cmd.AddCommand(alarmListCommand(), alarmDisarmCommand())
	return cmd
}

func alarmListCommand() *cobra.Command {
	var t target
	var f form
	cmd := &cobra.Command{
		Use: "list", Example: "  quorate etcd alarm list -f prod.yaml",
		Short: "List the alarms that are raised",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return t.guarded(cmd, f, func(_ *session, g *etcdadmin.Guard) error {
				alarms, err := g.Alarms(cmd.Context())
				if err != nil {
					return err
				}
				return f.print(cmd, alarmTable(alarms), "alarms", alarmsDoc(alarms))
			})
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	return cmd
}

// alarmsDoc is a list of alarms as a JSON object; none is [], not null.
func alarmsDoc(alarms []etcdadmin.Alarm) any {
	return map[string]any{"alarms": append([]etcdadmin.Alarm{}, alarms...)}
}

func alarmTable(alarms []etcdadmin.Alarm) string {
	if len(alarms) == 0 {
		return "no alarms\n"
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tMEMBER\tALARM")
	for _, a := range alarms {
		host := string(a.Host)
		if host == "" {
			host = "no longer a member"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", host, a.Member, a.Kind)
	}
	w.Flush()
	return b.String()
}

func alarmDisarmCommand() *cobra.Command {
	var t target
	var f form
	var yes bool
	cmd := &cobra.Command{
		Use: "disarm", Example: "  quorate etcd alarm disarm -f prod.yaml",
		Short: "Disarm all alarms once their cause is gone",
		Long: `Disarm shows what is raised, and asks. NOSPACE is not disarmed while a database
still is as large as its quota, for it would come back with the first write:
delete what is not needed, then run quorate etcd defrag --compact.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return t.guarded(cmd, f, func(s *session, g *etcdadmin.Guard) error {
				alarms, err := g.Alarms(cmd.Context())
				if err != nil {
					return err
				}
				if !f.json() {
					fmt.Fprint(cmd.OutOrStdout(), alarmTable(alarms))
				}
				if len(alarms) == 0 {
					return f.print(cmd, "", "alarms", alarmsDoc(nil))
				}
				says, err := etcdadmin.MayDisarm(alarms, g.Seen.Etcd)
				if err != nil {
					return err
				}
				for _, l := range says {
					fmt.Fprintln(cmd.ErrOrStderr(), "warning:", l)
				}
				if !yes {
					ok, err := ask(cmd, "Disarm these alarms?")
					if err != nil {
						return err
					}
					if !ok {
						return errRefused
					}
				}
				return s.maintain(cmd, f, "etcd alarm disarm", "alarms", true, func(ctx context.Context, g *etcdadmin.Guard) (any, error) {
					return alarmsDoc(alarms), g.Disarm(ctx, alarms)
				})
			})
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}
