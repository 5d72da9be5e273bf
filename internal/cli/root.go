package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/etcdadmin"
)

// Version is set when the program is built.
var Version = "dev"

// Exit codes, as the design has them.
const (
	exitFailed  = 1
	exitUsage   = 2 // or: changes are pending
	exitBlocked = 3 // or: refused
)

// errChanges makes `plan` end with 2 when there is something to do.
var errChanges = errors.New("changes are pending")

// errInterrupted is a command that looked only, and was stopped.
var errInterrupted = errors.New("interrupted")

// errRefused is what a person said no to.
var errRefused = errors.New("nothing was changed")

// Main runs one command and returns its exit code.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	plainOut, plainErr := &plainWriter{to: out}, &plainWriter{to: errOut}
	defer plainOut.flush()
	defer plainErr.flush()
	root.SetOut(plainOut)
	root.SetErr(plainErr)
	begun := false
	root.PersistentPreRun = func(*cobra.Command, []string) { begun = true }
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !begun {
		err = usageError{err} // an unknown command, a wrong number of arguments
	}
	if ctx.Err() != nil && err != nil && !errors.As(err, new(ended)) {
		err = fmt.Errorf("%w (%w)", errInterrupted, err)
	}
	if err != nil && !errors.Is(err, errChanges) && !errors.Is(err, errUnhealthy) {
		fmt.Fprint(plainErr, explain(cmd, err))
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var blocked engine.BlockedError
	var notApproved engine.NotApprovedError
	var held engine.Held
	var kept engine.Kept
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errChanges), errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &blocked), errors.As(err, &notApproved), errors.As(err, &held), errors.As(err, &kept), errors.As(err, new(etcdadmin.Refused)), errors.Is(err, errRefused):
		return exitBlocked
	}
	return exitFailed
}

// usageError is a command line or file that cannot be taken.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "quorate",
		Short: "Highly available Kubernetes control planes on your own machines",
		Long: `quorate makes, changes and proves highly available Kubernetes control planes on
your own machines: from one file and over SSH. It shows what will happen, and
what a loss in the middle of it would mean, before anything is touched.`,
		Version:       Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(initCommand(), schemaCommand(), planCommand(), applyCommand(), statusCommand(), kubeconfigCommand(), resetCommand(), forgetCommand(), etcdCommand(), journalCommand(),
		artifactsCommand(), labCommand(), versionCommand())
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "quorate", Version)
		return err
	}}
}
