package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/guard"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
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
			if err := f.check(); err != nil {
				return err
			}
			s, err := t.openWith(cmd.Context(), cmd, noArtifacts)
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
			if err := f.print(cmd, text, e); err != nil {
				return err
			}
			if !well {
				return errUnhealthy
			}
			return nil
		},
	}
	t.flags(cmd)
	f.flags(cmd)
	return cmd
}

// guard looks at the cluster for those who look after its data.
func (s *session) guard(ctx context.Context) (*guard.Guard, error) {
	ob, err := s.engine.Look(ctx)
	if err != nil {
		return nil, err
	}
	return &guard.Guard{Hosts: s.hosts, Seen: ob, Say: func(string, ...any) {}}, nil
}

// tend runs what changes something, watched and journalled like an apply. With
// lock it holds the cluster's, from before it looks. What do returns is shown as
// JSON on request.
func (s *session) tend(cmd *cobra.Command, f form, doing string, lock bool, do func(context.Context, *guard.Guard) (any, error)) error {
	w := s.watch(cmd, f.output, doing)
	defer w.close()
	ctx, release := cmd.Context(), func() {}
	if lock {
		var err error
		if ctx, release, err = s.engine.Lock(cmd.Context(), doing); err != nil {
			return w.end(cmd.Context(), err)
		}
	}
	defer release()
	g, err := s.guard(ctx)
	if err != nil {
		return w.end(ctx, err)
	}
	defer g.Close()
	g.Say = func(format string, args ...any) { w.note(engine.Note, fmt.Sprintf(format, args...), nil) }
	g.Step = w.step
	report, err := do(ctx, g)
	if err = w.end(ctx, err); err != nil {
		return err
	}
	w.close()
	if f.output == "json" && report != nil {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"kind": "report", "report": report})
	}
	return nil
}

// step shows one thing that is done on one host.
func (w *watcher) step(id model.HostID, kind, title string, do func() error) error {
	about := plan.About{Kind: kind, Host: id, Title: title}
	begun := time.Now()
	tell := func(kind string, err error) {
		ev := engine.Event{At: time.Now().UTC(), Run: w.run, Kind: kind, Step: &about, Text: title}
		if kind != engine.StepRun {
			ev.Took = time.Since(begun)
		}
		if err != nil {
			ev.Err = err.Error()
		}
		w.on(ev)
	}
	tell(engine.StepRun, nil)
	err := do()
	if err == nil {
		tell(engine.StepDone, nil)
		return nil
	}
	tell(engine.StepFail, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.fails, about.Key()) // the run ends with it, and it is told there
	if errors.As(err, new(guard.Refused)) {
		return err
	}
	return failedStep{err}
}

// failedStep ends a run; unlike an engine's it names its host and what it did.
type failedStep struct{ error }

func (f failedStep) Unwrap() error { return f.error }
