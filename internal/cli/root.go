package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"quorate.dev/quorate/internal/engine"
	"quorate.dev/quorate/internal/etcdadmin"
	"quorate.dev/quorate/internal/version"
)

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
	root := Command()
	root.SetArgs(args)
	root.SetIn(in)
	plainOut, plainErr := &plainWriter{to: out}, &plainWriter{to: errOut}
	defer plainOut.flush()
	defer plainErr.flush()
	root.SetOut(plainOut)
	root.SetErr(plainErr)
	begun := false
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) {
		begun = true
		plainOut.colours = coloured(out) && !isJSON(cmd)
		plainErr.colours = coloured(errOut)
	}
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !begun {
		err = usageError{err} // an unknown command, a wrong number of arguments
	}
	if ctx.Err() != nil && err != nil && !errors.As(err, new(ended)) {
		err = fmt.Errorf("%w (%w)", errInterrupted, err)
	}
	if err != nil && !errors.Is(err, errChanges) && !errors.Is(err, errUnhealthy) {
		fail(cmd, err)
		fmt.Fprint(plainErr, explain(cmd, err))
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var blocked engine.BlockedError
	var notApproved engine.NotApprovedError
	var held engine.Held
	var notForgotten engine.NotForgottenError
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errChanges), errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &blocked), errors.As(err, &notApproved), errors.As(err, &held), errors.As(err, &notForgotten),
		errors.As(err, new(etcdadmin.Refused)), errors.Is(err, errRefused):
		return exitBlocked
	}
	return exitFailed
}

// usageError is a command line or file that cannot be taken.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// Command is quorate's command line as a value. Main runs it; man pages and
// shell completions are written from it.
func Command() *cobra.Command {
	root := &cobra.Command{
		Use: "quorate", Example: "  quorate init --name prod --control-plane 10.0.0.11,10.0.0.12,10.0.0.13 --worker 10.0.0.21\n  quorate apply",
		Short: "Highly available Kubernetes control planes on your own machines",
		Long: `quorate creates, changes and repairs highly available Kubernetes control planes on
your own machines, from one file and over SSH. Before anything is touched it shows
what will happen, and what losing a host meanwhile would mean.`,
		Version:       version.Current().String(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("quorate {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		if strings.Contains(err.Error(), "--dry-run") {
			err = fmt.Errorf("%w: `quorate plan` shows what would be done and changes nothing", err)
		}
		return usageError{plainFlagError(err)}
	})
	root.AddCommand(initCommand(), adoptCommand(), validateCommand(), schemaCommand(), planCommand(), applyCommand(), statusCommand(),
		kubeconfigCommand(), tokenCommand(), resetCommand(), forgetCommand(), etcdCommand(), doctorCommand(), journalCommand(),
		artifactsCommand(), versionCommand())
	root.AddCommand(labCommands()...)
	root.Args, root.RunE = cobra.ArbitraryArgs, subcommands
	return root
}

// plainFlagError says of a flag's value what was expected, where the flag's own
// error speaks of Go's parsers.
func plainFlagError(err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	want := map[string]string{"int": "a whole number", "duration": "a duration such as 30s, 10m or 2h", "bool": "true or false"}
	if w, known := want[bad.GetFlag().Value.Type()]; known {
		return fmt.Errorf("--%s %q is not %s", bad.GetFlag().Name, bad.GetValue(), w)
	}
	return err
}

// subcommands runs a command that only groups others: alone it shows its help,
// and a name that it does not know is a usage error.
func subcommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
	if instead, known := elsewhere[strings.TrimPrefix(cmd.CommandPath()+" "+args[0], "quorate ")]; known {
		return usageError{fmt.Errorf("%w: %s", err, instead)}
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usageError{fmt.Errorf("%w; did you mean %s?", err, strings.Join(near, " or "))}
	}
	return usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
}

// elsewhere names what quorate has instead of commands that other tools have.
var elsewhere = map[string]string{
	"upgrade": "upgrades are not supported yet; `quorate plan` refuses a file with another version and says what runs",
	"logs":    "`quorate journal` shows what quorate did; logs of a service are on its host: journalctl -u SERVICE",
	"delete": "`quorate reset` removes quorate's components from hosts; to remove one host, take it out of the file " +
		"and `quorate apply`",
	"destroy":               "`quorate reset` removes quorate's components from hosts",
	"create":                "`quorate init` writes a cluster file, `quorate apply` creates the cluster",
	"up":                    "`quorate apply` creates the cluster",
	"lint":                  "`quorate validate` checks the file without the hosts",
	"diff":                  "`quorate plan` shows what apply would change",
	"etcd backup":           "`quorate etcd snapshot save`",
	"etcd snapshot restore": "`quorate etcd restore SNAPSHOT` takes the cluster back to a snapshot",
	"lab":                   "lab hosts are systemd-nspawn containers: they need quorate on a Linux machine",
	"lab destroy":           "`quorate lab down`",
	"lab delete":            "`quorate lab down`",
}

func versionCommand() *cobra.Command {
	var f form
	cmd := &cobra.Command{Use: "version", Example: "  quorate version", Short: "Print version, commit, date and platform", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.print(cmd, "quorate "+version.Current().String()+"\n", "version", version.Current())
		}}
	f.flags(cmd, "")
	return cmd
}
