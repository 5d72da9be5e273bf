package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/etcd"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/plan"
)

// recovery is what the commands have in common that bring etcd's data back.
type recovery struct {
	target target
	yes    bool
	output form
	source string // a snapshot to take: HOST:PATH, or a file on this machine; "": a member's data
	host   string // on which etcd starts again, with its own data or the snapshot; "": the best
	whole  bool   // also while etcd has quorum
}

func recoverCommand() *cobra.Command {
	r := recovery{}
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Bring etcd back on one host after its quorum is lost for good",
		Long: `Recover makes a new etcd cluster of one member from the best data that a
surviving host has, or from a snapshot, and lets all other hosts join it.
What hosts that do not answer have acknowledged beyond that is lost: if they can
be brought back with their disks, do that instead, and nothing is lost.

It shows what it found and what it would do, and asks for the cluster's name.
It can be repeated after any interruption. The data that was on the host is
kept. While etcd has quorum it refuses.`,
		Example: `  quorate etcd recover -f prod.yaml
  quorate etcd recover -f prod.yaml --host cp2
  quorate etcd recover -f prod.yaml --from-snapshot cp1:` + layout.Quorate().Snapshots + `/20261121T051644Z.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd) },
	}
	cmd.Flags().StringVar(&r.source, "from-snapshot", "", "a snapshot to take instead of a host's data: HOST:PATH, or a file on this machine")
	r.flags(cmd)
	return cmd
}

func restoreCommand() *cobra.Command {
	r := recovery{whole: true}
	cmd := &cobra.Command{
		Use:   "restore SNAPSHOT",
		Short: "Take the whole cluster back to the state of a snapshot",
		Long: `Restore makes a new etcd cluster of one member from a snapshot (HOST:PATH, or a
file on this machine), and lets all other hosts join it. Everything that
was written after the snapshot was taken is gone from the cluster; what etcd
holds now is saved in a snapshot first, if any member can give one. The API does
not answer meanwhile; running pods go on until what the data says of them differs.

The snapshot must be of this cluster: its secrets are encrypted with the keys of
the cluster that it was taken from.`,
		Example: `  quorate etcd restore -f prod.yaml cp1:` + layout.Quorate().Snapshots + `/20261121T051644Z.db
  quorate etcd restore -f prod.yaml --host cp2 ./before-upgrade.db`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.source = args[0]
			return r.run(cmd)
		},
	}
	r.flags(cmd)
	return cmd
}

func (r *recovery) flags(cmd *cobra.Command) {
	r.target.flags(cmd)
	cmd.Flags().StringVar(&r.host, "host", "", "the host on which etcd starts again: with its own data (default: the host with the best), "+
		"or with the snapshot (default: the snapshot's host, or the first that answers)")
	cmd.Flags().BoolVarP(&r.yes, "yes", "y", false, "do not ask for the cluster's name")
	r.output.flags(cmd, "(the plan, then one event a line)")
	verboseFlag(cmd)
}

func (r *recovery) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	s, err := r.target.open(ctx, cmd)
	if err != nil {
		return err
	}
	defer s.close()
	const byHand = "etcdutl on the host, as https://etcd.io/docs/v3.6/op-guide/recovery/ describes"
	if err := ownOnly(s.file, "bringing etcd back", byHand); err != nil {
		return err
	}
	ob, err := s.engine.Look(ctx)
	if err != nil {
		return err
	}
	if err := r.refuse(cmd, ob); err != nil {
		return err
	}
	found := survey{ob: ob}
	if found.data, found.errs = s.engine.Survey(ctx, ob); ctx.Err() != nil {
		return ctx.Err()
	}
	do, from, err := r.choose(ctx, cmd, s, found)
	if err != nil {
		return err
	}
	s.engine.Recover(do)
	p, _, err := s.engine.Plan(ctx)
	if err != nil {
		return err
	}
	if len(p.Blocked) > 0 {
		return engine.BlockedError{Plan: p}
	}
	if r.output.json() {
		err = emit(cmd, "plan", p)
	} else {
		_, err = fmt.Fprint(cmd.OutOrStdout(), found.text(do, from), "\n"+p.Text())
	}
	if err != nil {
		return err
	}
	if !r.yes {
		name := s.file.Metadata.Name
		if err := typed(cmd, fmt.Sprintf("This rebuilds the etcd of cluster %s from the data above.\nType the cluster's name to confirm: ", name),
			name); err != nil {
			return err
		}
	}
	return r.apply(cmd, s, p, fmt.Sprintf("etcd is back on %s: %s; revisions continue above that", do.At, found.before(from)))
}

// apply carries the plan out, and says that it is done.
func (r *recovery) apply(cmd *cobra.Command, s *session, p plan.Plan, done string) error {
	w := s.watch(cmd, r.output, cmd.CommandPath()[len("quorate "):])
	defer w.close()
	locked, release, err := s.engine.Lock(cmd.Context(), w.doing)
	if err != nil {
		return w.end(cmd.Context(), err)
	}
	defer release()
	err = s.engine.Apply(locked, p)
	// Who does not come back is deferred: that is no failure of a recovery.
	var deferred engine.DeferredError
	away := errors.As(err, &deferred)
	if away {
		err = nil
	}
	if err = w.end(locked, err); err != nil {
		return err
	}
	w.close()
	if !r.output.json() {
		fmt.Fprintln(cmd.OutOrStdout(), done)
		if away {
			fmt.Fprintf(cmd.OutOrStdout(), "%s\nnext: %s\n", deferred, awayNext(cmd))
		}
	}
	return nil
}

// awayNext is what to do about hosts that may come back with old data.
func awayNext(cmd *cobra.Command) string {
	return "run `" + command(cmd, "apply") + "` right after they start (until then their own API servers serve the old data), or " +
		"take them out of the file and apply"
}

// refuse says why there is nothing to recover.
func (r *recovery) refuse(cmd *cobra.Command, ob *observe.Observation) error {
	begun, is := r.begun(ob)
	switch {
	case ob.Have.Conflict != "":
		return fmt.Errorf("%w: %s", errRefused, ob.Have.Conflict)
	case is && ob.Have.Hosts[begun.At].Etcd.Recovery.IsBinding() && ob.Shared != nil:
		return nil // there is no way back: it goes on
	case ob.Have.Quorum("") && !r.whole:
		return fmt.Errorf("%w: etcd has quorum; `%s` repairs what else is wrong; to go back to an older state: %s SNAPSHOT", errRefused,
			command(cmd, "apply"), command(cmd, "etcd restore"))
	case !ob.Have.Bootstrapped():
		return fmt.Errorf("%w: this cluster has no etcd yet; `%s` creates it", errRefused, command(cmd, "apply"))
	case ob.Shared == nil:
		return fmt.Errorf("%w: no reachable control plane holds the cluster's keys", errRefused)
	case r.host == "" && r.source == "" && !ob.Have.QuorumLost():
		return fmt.Errorf("%w: most of etcd's members answer with their data: `%s` starts them, and nothing is lost; if they do not "+
			"start, choose one of them with --host", errRefused, command(cmd, "apply"))
	}
	return nil
}

// wayBack is what to do when etcd's quorum is lost.
func wayBack(cmd *cobra.Command, c model.Cluster) string {
	first := ""
	if lost := c.SilentMembers(); len(lost) > 0 {
		first = "bring back " + strings.ReplaceAll(hostList(lost), ", ", " or ") + " with its disk: then nothing is lost. If that cannot be: "
	}
	return first + command(cmd, "etcd recover")
}

// snapshotOf is a source as it was given, and what a look at it tells.
type snapshotOf struct {
	given string
	host  model.HostID // "" is this machine
	path  string
	is    etcd.Snapshot
}
