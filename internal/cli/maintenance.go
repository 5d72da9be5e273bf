package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/etcdadmin"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/plan"
	"quorate.dev/quorate/internal/units"
)

// openFor opens for a command that looks at etcd, or after it, and refuses hosts
// that the file does not name.
func (t *target) openFor(cmd *cobra.Command, f form, hosts ...string) (*session, error) {
	s, err := t.openWith(cmd.Context(), cmd, noArtifacts)
	if err != nil {
		return nil, err
	}
	for _, h := range hosts {
		if err := s.named(h); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// named refuses a host that the file does not name.
func (s *session) named(host string) error {
	if host == "" {
		return nil
	}
	_, err := resetHosts(s.file, []string{host})
	return err
}

// guarded opens and looks, for a command that begins with what is.
func (t *target) guarded(cmd *cobra.Command, f form, do func(*session, *etcdadmin.Guard) error) error {
	s, err := t.openFor(cmd, f)
	if err != nil {
		return err
	}
	defer s.close()
	g, err := s.guard(cmd.Context())
	if err != nil {
		return err
	}
	defer g.Close()
	return do(s, g)
}

// guard looks at the cluster for those who look after its data.
func (s *session) guard(ctx context.Context) (*etcdadmin.Guard, error) {
	ob, err := s.engine.Look(ctx)
	if err != nil {
		return nil, err
	}
	return &etcdadmin.Guard{Hosts: s.hosts, Seen: ob, Say: func(string, ...any) {}}, nil
}

// maintain runs what changes something, watched and journalled like an apply. With
// lock it holds the cluster's, from before it looks. What do returns is the last
// JSON document, of the kind given.
func (s *session) maintain(cmd *cobra.Command, f form, doing, kind string, lock bool,
	do func(context.Context, *etcdadmin.Guard) (any, error)) error {
	w := s.watch(cmd, f, doing)
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
	if f.json() && report != nil {
		return emit(cmd, kind, report)
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
			ev.Took = units.Seconds(time.Since(begun))
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
	if errors.As(err, new(etcdadmin.Refused)) {
		w.tally.close(about) // it changed nothing
		return err
	}
	return failedStepError{err}
}

// failedStepError ends a run; unlike an engine's it names its host and what it did.
type failedStepError struct{ error }

func (f failedStepError) Unwrap() error { return f.error }
