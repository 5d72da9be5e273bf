package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/etcdadmin"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
)

func snapshotCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "snapshot", Example: "  quorate etcd snapshot save -f prod.yaml",
		Short: "Save, list and verify snapshots of etcd", Args: cobra.ArbitraryArgs, RunE: subcommands}
	cmd.AddCommand(snapshotSaveCommand(), snapshotListCommand(), snapshotVerifyCommand())
	return cmd
}

func snapshotSaveCommand() *cobra.Command {
	var t target
	var f form
	var from, to string
	var keys bool
	cmd := &cobra.Command{
		Use:   "save",
		Short: "Save a snapshot on a host, or with --to on this machine",
		Long: `Save takes a snapshot of the leader's data, or of the member named. By default it
is saved on that host under ` + layout.Quorate().Snapshots + `, where the ten newest
are kept. With --to it is streamed to a file on this machine, which must not exist
yet. Either way it is read back before it counts: its checksum and the database.

A snapshot alone cannot be used elsewhere: what it has of Secrets is encrypted.
With --with-keys the cluster's keys are put beside it (mode 0600, as SNAPSHOT` + etcd.KeysSuffix + `);
without it, quorate says where they are. Whoever has both can read everything.`,
		Example: `  quorate etcd snapshot save
  quorate etcd snapshot save --to prod-before-upgrade.db --with-keys`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("to") && (to == "" || strings.HasSuffix(to, "/")) {
				return usageError{fmt.Errorf("--to %q: want the name of a file", to)}
			}
			s, err := t.openFor(cmd, f, from)
			if err != nil {
				return err
			}
			defer s.close()
			var at model.HostID
			var snap etcd.Snapshot
			var holders []model.HostID
			err = s.maintain(cmd, f, "etcd snapshot save", "snapshot", to == "", func(ctx context.Context, g *etcdadmin.Guard) (any, error) {
				if at, err = g.Source(model.HostID(from)); err != nil {
					return nil, err
				}
				if holders = g.KeyHosts(); to != "" {
					snap, err = g.SaveHere(ctx, at, to, keys)
				} else {
					snap, err = g.SaveThere(ctx, at, keys)
				}
				return snap, err
			})
			if err != nil || f.json() {
				return err
			}
			place := snap.Path
			if to == "" {
				place = string(at) + ":" + place
			}
			fmt.Fprintln(cmd.OutOrStdout(), place)
			if !keys {
				keysAt := goal.LayoutOf(s.file).PKI
				fmt.Fprintf(cmd.ErrOrStderr(), "note: a snapshot can be used only with the cluster's keys, which are under %s on %s: %s. "+
					"--with-keys saves them beside it\n",
					keysAt.Dir, hostList(holders), strings.ReplaceAll(strings.Join(pki.SharedPaths(keysAt), " "), keysAt.Dir+"/", ""))
			}
			return nil
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	cmd.Flags().StringVar(&from, "host", "", "the host whose member to use (default: the leader)")
	cmd.Flags().StringVar(&to, "to", "", "a new file on this machine")
	cmd.Flags().BoolVar(&keys, "with-keys", false, "also save the cluster's keys, which are needed to use it")
	return cmd
}

func snapshotListCommand() *cobra.Command {
	var t target
	var f form
	var quick bool
	cmd := &cobra.Command{
		Use: "list", Example: "  quorate etcd snapshot list -f prod.yaml",
		Short: "List the snapshots on the hosts and check them",
		Long: `List reads every snapshot under ` + layout.Quorate().Snapshots + ` of every host that is or
was an etcd member. It exits with 1 when one is broken or a host could not be reached.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return t.guarded(cmd, f, func(_ *session, g *etcdadmin.Guard) error {
				all := g.Snapshots(cmd.Context(), !quick)
				if err := cmd.Context().Err(); err != nil {
					return err
				}
				text, well := snapshotTable(all)
				return f.verdict(cmd, text, "snapshots", map[string]any{"hosts": all}, well)
			})
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	cmd.Flags().BoolVar(&quick, "quick", false, "list names and sizes only, without reading the snapshots")
	return cmd
}

func snapshotTable(all []etcdadmin.Listed) (text string, well bool) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tSNAPSHOT\tSIZE\tTAKEN\tREVISION\tENTRIES\tKEYS BESIDE\tCHECK")
	var down []string
	well = true
	for _, l := range all {
		if l.Err != "" {
			well = false
			down = append(down, fmt.Sprintf("DOWN: %s could not be reached: %s\n", l.Host, l.Err))
		} else if len(l.Snapshots) == 0 {
			fmt.Fprintf(w, "%s\tnone%s\n", l.Host, strings.Repeat("\t-", 6))
		}
		for _, s := range l.Snapshots {
			row := []string{string(l.Host), s.Path, mib(s.Size), s.Time.Local().Format("2006-01-02 15:04:05"), "-", "-", "no", "not read"}
			if s.WithKeys {
				row[6] = "yes"
			}
			switch {
			case s.Problem != "":
				well, row[7] = false, "BROKEN: "+s.Problem
			case s.Checked:
				row[4], row[5], row[7] = fmt.Sprint(s.Revision), fmt.Sprint(s.Keys), "ok"
			}
			fmt.Fprintln(w, strings.Join(row, "\t"))
		}
	}
	w.Flush()
	return b.String() + strings.Join(down, ""), well
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// onHost is HOST:/PATH.
var onHost = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9.-]*):(/.*)$`)

func snapshotVerifyCommand() *cobra.Command {
	var t target
	var f form
	cmd := &cobra.Command{
		Use:   "verify HOST:PATH | FILE",
		Short: "Check that a snapshot is complete",
		Long: `Verify compares the checksum that etcd put at the end, and looks at the database
before it: on a host with etcdutl, on this machine (which needs no cluster) that
all its pages are there. It exits with 1 when the snapshot is broken.`,
		Example: `  quorate etcd snapshot verify cp1:` + layout.Quorate().Snapshots + `/20261121T060000Z.db
  quorate etcd snapshot verify ./prod.db`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var s etcd.Snapshot
			var err error
			if at := onHost.FindStringSubmatch(args[0]); at != nil {
				s, err = t.verifyOn(cmd, at[1], at[2])
			} else {
				s, err = etcd.CheckSnapshotFile(filepath.Clean(args[0]))
			}
			if err != nil {
				return err
			}
			text := fmt.Sprintf("%s is complete: %s\n", args[0], s)
			if s.Host == "" {
				text = fmt.Sprintf("%s is complete: %s; revision and entries are shown for snapshots on a host\n", args[0], mib(s.Size))
			}
			if s.Problem != "" {
				text = fmt.Sprintf("%s is BROKEN: %s\n", args[0], s.Problem)
			}
			return f.verdict(cmd, text, "snapshot", s, s.Problem == "")
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	return cmd
}

func (t *target) verifyOn(cmd *cobra.Command, name, file string) (etcd.Snapshot, error) {
	if path.Clean(file) != file || strings.ContainsAny(file, "\n\r") {
		return etcd.Snapshot{}, usageError{fmt.Errorf("%q is not a clean path", file)}
	}
	s, err := t.openWith(cmd.Context(), cmd, noArtifacts)
	if err != nil {
		return etcd.Snapshot{}, err
	}
	defer s.close()
	if err := s.named(name); err != nil {
		return etcd.Snapshot{}, err
	}
	snap, err := etcd.CheckSnapshot(cmd.Context(), s.hosts[model.HostID(name)], goal.LayoutOf(s.file), file)
	if errors.Is(err, host.ErrUnreachable) {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return snap, err
}
