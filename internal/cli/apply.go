package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/plan"
)

func planCommand() *cobra.Command {
	var t target
	var f form
	var ignored []string
	cmd := &cobra.Command{
		Use: "plan", Example: "  quorate plan -f prod.yaml",
		Short: "Show what apply would do, in which order, and what losing a host meanwhile would mean",
		Long: "Plan observes the hosts and changes nothing. Exit codes: 0 nothing to do, 2 changes are pending, " +
			"3 blocked.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := t.openWith(cmd.Context(), cmd, named)
			if err != nil {
				return err
			}
			defer s.close()
			p, ob, err := s.engine.Plan(cmd.Context())
			if err != nil {
				return err
			}
			s.checkNew(cmd, ob, &p, ignored, false)
			if err := f.print(cmd, p.Text(), "plan", p); err != nil {
				return err
			}
			s.sayMissing(cmd, p)
			switch {
			case len(p.Blocked) > 0:
				return reportedError{engine.BlockedError{Plan: p}}
			case !p.Empty():
				return errChanges
			}
			return nil
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	ignoreFlag(cmd, &ignored)
	return cmd
}

func applyCommand() *cobra.Command {
	var t target
	var ignored []string
	var yes, outage, probe, forceDrain, keepKeys bool
	var drainTime time.Duration
	var f form
	cmd := &cobra.Command{
		Use: "apply", Example: "  quorate apply -f prod.yaml\n  quorate apply -f prod.yaml --yes --probe",
		Short: "Make the cluster match the file",
		Long: `Apply shows the plan, asks for confirmation and carries it out. It can be
interrupted or killed at any time: the next apply continues from what it finds.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := t.openWith(cmd.Context(), cmd, named)
			if err != nil {
				return err
			}
			defer s.close()
			s.engine.DrainTime, s.engine.ForceDrain = drainTime, forceDrain
			s.engine.KeepKeys(keepKeys)
			p, ob, err := s.engine.Plan(cmd.Context())
			if err != nil {
				return err
			}
			s.checkNew(cmd, ob, &p, ignored, true)
			if len(p.Blocked) > 0 {
				return engine.BlockedError{Plan: p}
			}
			if err := agree(cmd, f, p, yes, outage); err != nil || p.Empty() {
				return err
			}
			if err := s.equip(cmd, &t, p); err != nil {
				return err
			}
			do := func() error { return s.change(cmd, f, p, ob) }
			if !probe {
				return do()
			}
			return s.probed(cmd, f, ob, do)
		},
	}
	t.flags(cmd)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&probe, "probe", false, "query the cluster 10 times a second during the change and report what clients would "+
		"have noticed")
	cmd.Flags().DurationVar(&drainTime, "drain-timeout", engine.DrainTime, "how long draining a host may take")
	cmd.Flags().BoolVar(&forceDrain, "force-drain", false, "delete pods that no controller recreates, and proceed when the drain times out")
	cmd.Flags().BoolVar(&keepKeys, "keep-keys", false, "let hosts that leave keep their copies of the cluster's keys and of etcd's data")
	cmd.Flags().BoolVar(&outage, "accept-outage", false, "accept steps during which the API, etcd or a worker's way to it is down")
	ignoreFlag(cmd, &ignored)
	f.flags(cmd, "(the plan, then one event a line)")
	verboseFlag(cmd)
	return cmd
}

// agree shows a plan and asks for consent to it.
func agree(cmd *cobra.Command, f form, p plan.Plan, yes, outage bool) (err error) {
	if f.json() {
		err = emit(cmd, "plan", p)
	} else {
		_, err = fmt.Fprint(cmd.OutOrStdout(), p.Text())
	}
	if err != nil || p.Empty() {
		return err
	}
	if err := acceptable(p, outage); err != nil || yes || len(p.Stages) == 0 {
		return err
	}
	ok, err := ask(cmd, "Apply these changes?")
	if err == nil && !ok {
		err = errRefused
	}
	return err
}

// change does what was agreed to, and says what still names hosts that are gone
// with it.
func (s *session) change(cmd *cobra.Command, f form, p plan.Plan, ob *observe.Observation) error {
	if err := s.apply(cmd, f, p); err != nil {
		return err
	}
	return s.sayStale(cmd, f, s.gone(ob))
}

// apply does what was agreed to, under the cluster's lock.
func (s *session) apply(cmd *cobra.Command, f form, p plan.Plan) error {
	begun := time.Now()
	w := s.watch(cmd, f, "apply")
	defer w.close()
	ctx, release, err := s.engine.Lock(cmd.Context(), "apply")
	if err != nil {
		return w.end(cmd.Context(), err)
	}
	defer release()
	if err := w.end(ctx, s.engine.Apply(ctx, p)); err != nil {
		return err
	}
	w.close()
	if !f.json() {
		fmt.Fprintf(cmd.OutOrStdout(), "done in %s\n", time.Since(begun).Round(100*time.Millisecond))
	}
	return nil
}

// probed does something to the cluster while it is asked all the time.
func (s *session) probed(cmd *cobra.Command, f form, ob *observe.Observation, do func() error) error {
	p, err := s.engine.Probe(cmd.Context(), ob)
	if err != nil {
		return fmt.Errorf("--probe: %w; apply without it", err)
	}
	if p.Waits() && !f.json() {
		fmt.Fprintln(cmd.ErrOrStderr(), "probe: no API server answers yet; probing starts as soon as one does")
	}
	failed := do()
	report, err := p.Stop(context.WithoutCancel(cmd.Context()))
	switch {
	case errors.Is(err, engine.ErrNeverAsked) && failed != nil:
		return failed // that is why
	case errors.Is(err, engine.ErrNeverAsked):
		return fmt.Errorf("--probe: %w", err)
	}
	if f.json() {
		err = errors.Join(err, emit(cmd, "probe", map[string]any{"report": report}))
	} else {
		fmt.Fprintln(cmd.OutOrStdout(), report)
	}
	return errors.Join(failed, err)
}

// acceptable refuses a plan with an outage that nobody has agreed to, and says
// what would be down.
func acceptable(p plan.Plan, outage bool) error {
	if outage {
		return nil
	}
	var says []string
	for _, st := range p.Stages {
		if st.Risk == plan.Outage {
			says = append(says, st.Reasons...)
		}
	}
	if len(says) == 0 {
		return nil
	}
	slices.Sort(says)
	return fmt.Errorf("%w: %s; to proceed, pass --accept-outage", errRefused, strings.Join(slices.Compact(says), "; "))
}
