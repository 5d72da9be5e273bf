package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/etcdadmin"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
)

// errStopped is a run that a person has interrupted.
var errStopped = errors.New("stopped; what is already running on hosts finishes by itself")

// ended is how a run failed, with what it had done by then.
type ended struct {
	error
	tally tally
}

func (e ended) Unwrap() error { return e.error }

// userError is an error as it leaves the program: what happened and why, what was
// left as it was, and the command to run next.
type userError struct{ what, kept, next string }

func (e userError) String() string {
	lines := []string{e.what}
	if e.kept != "" {
		lines = append(lines, "kept: "+e.kept)
	}
	if e.next != "" {
		lines = append(lines, "next: "+e.next)
	}
	return strings.Join(lines, "\n") + "\n"
}

// explain turns an error into a userError. cmd is the command that failed.
func explain(cmd *cobra.Command, err error) userError {
	e := userError{what: strings.TrimSpace(err.Error())}
	again := command(cmd, strings.Join(append([]string{strings.TrimPrefix(cmd.CommandPath(), "quorate ")}, cmd.Flags().Args()...), " "))
	var failed engine.FailedError
	var blocked engine.BlockedError
	var lost engine.QuorumLostError
	var deferred engine.DeferredError
	var notApproved engine.NotApprovedError
	var held engine.Held
	var unfinished engine.UnfinishedError
	var notForgotten engine.NotForgottenError
	var done ended
	var usage usageError
	var refused etcdadmin.Refused
	switch {
	case errors.Is(err, errStopped):
		e.next = again + " to continue"
	case errors.As(err, &failed), errors.As(err, new(failedStepError)):
		e.next = "fix the cause, then run " + again + "; completed steps are skipped"
	case errors.As(err, &notApproved):
		e.next = command(cmd, "plan") + ", then " + command(cmd, "apply")
	case errors.As(err, &deferred) && !deferred.Unreached():
		e.next = "resolve what is named above, then run " + again
	case errors.As(err, &deferred):
		e.next = "bring these hosts back and run " + again + ", or take them out of the file"
	case errors.As(err, &blocked) && blocked.Plan.Have.QuorumLost():
		e.next = wayBack(cmd, blocked.Plan.Have)
	case errors.As(err, &lost):
		e.next = wayBack(cmd, lost.Have)
	case errors.As(err, &blocked):
		e.next = "resolve what is named above, then run " + again
	case errors.As(err, &held):
		e.kept = "nothing was changed by this run"
		e.next = "wait until that run has ended, then run " + again
	case errors.As(err, &notForgotten):
		e.kept = "nothing was changed"
	case errors.As(err, &unfinished):
		e.next = again + "; it is safe to repeat"
	case errors.As(err, &refused):
		e.kept, e.next = "nothing was changed", refused.Next
	case errors.As(err, &usage):
		e.what = "quorate: " + e.what
	case errors.Is(err, host.ErrUnreachable):
		e.next = "bring the host back, then run " + again
	default:
		e.what = "quorate: " + e.what
	}
	if errors.As(err, &done) && (e.kept == "" || !done.tally.nothing()) {
		e.kept = done.tally.String()
	} else if errors.As(err, &blocked) {
		e.kept = "nothing was changed"
	}
	return e
}

// nothing says that no step of the run was begun.
func (t tally) nothing() bool { return t.steps == 0 && len(t.open) == 0 }

// String says what a run leaves behind.
func (t tally) String() string {
	const few = 3
	var says []string
	if t.nothing() {
		says = append(says, "nothing was changed")
	}
	if t.steps > 0 {
		says = append(says, fmt.Sprintf("completed steps stay (%d)", t.steps))
	}
	if n := len(t.open); n > few {
		says = append(says, fmt.Sprintf("started, perhaps not finished: %s; and %d more", strings.Join(t.open[:few], "; "), n-few))
	} else if n > 0 {
		says = append(says, "started, perhaps not finished: "+strings.Join(t.open, "; "))
	}
	if n := len(t.kept); n > few {
		says = append(says, fmt.Sprintf("%d replaced files are under %s on their hosts", n, layout.Quorate().Kept))
	} else {
		for _, k := range t.kept {
			says = append(says, k.String())
		}
	}
	return strings.Join(says, "; ")
}

// command is what a person types for another command on the same cluster.
func command(cmd *cobra.Command, name string) string {
	s := "quorate " + name
	if f := cmd.Flags().Lookup("file"); f != nil && f.Changed {
		s += " -f " + f.Value.String()
	}
	return s
}
