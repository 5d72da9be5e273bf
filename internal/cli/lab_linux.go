package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/lab"
)

// labSeed is the artefact store that lab hosts see read-only.
var labSeed = func() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "quorate", "store")
}

func labCommands() []*cobra.Command {
	cmd := &cobra.Command{
		Use: "lab", Example: "  quorate lab up demo\n  quorate lab cut demo/cp1",
		Short: "Test hosts on this machine: containers with systemd and SSH on a bridge of their own",
		Long: `Test hosts on this machine: containers with systemd and SSH on a bridge of their
own, and a cluster file that names them. Needs root, systemd-nspawn and debootstrap.

A HOST is NAME/cp1, or cp1 with --lab NAME or while there is one lab only.`,
		Args: cobra.ArbitraryArgs, RunE: subcommands,
	}
	var in string
	cmd.PersistentFlags().StringVar(&in, "lab", "", "the lab that HOST is in")
	cmd.AddCommand(labUp(), labList(), labDown(), labSSH(&in), labExec(&in), labClean(),
		labPower("power-on HOST", "Boot a host and wait until SSH answers", &in, (*lab.Lab).PowerOn),
		labPower("reinstall HOST", "Boot a host with a fresh file system and a new SSH host key", &in, (*lab.Lab).Reinstall),
		labPower("heal HOST", "Undo cut and hang on a host", &in, (*lab.Lab).Heal), labHang(&in),
	)
	var ports string
	cut := labPower("cut HOST", "Drop all packets of a host, or those of some ports", &in,
		func(l *lab.Lab, ctx context.Context, host string) error {
			if ports != "" {
				return l.CutPorts(ctx, host, ports)
			}
			return l.Cut(ctx, host)
		})
	cut.Flags().StringVar(&ports, "ports", "", "only TCP packets from and to these ports, such as 2379-2380,6443")
	cmd.AddCommand(cut)
	var hard bool
	off := labPower("power-off HOST", "Stop a host", &in, func(l *lab.Lab, ctx context.Context, host string) error {
		return l.PowerOff(ctx, host, hard)
	})
	off.Flags().BoolVar(&hard, "hard", false, "like pulling the plug")
	cmd.AddCommand(off)
	return []*cobra.Command{cmd}
}

func labUp() *cobra.Command {
	var o lab.Options
	var form form
	cmd := &cobra.Command{
		Use: "up NAME", Example: "  quorate lab up demo --control-planes 3 --workers 2",
		Short: "Create hosts, with NAME.yaml and NAME.key for them",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name, o.Seed = args[0], labSeed()
			o.Progress = func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			if o.Seed != "" {
				if err := os.MkdirAll(o.Seed, 0o755); err != nil {
					return fmt.Errorf("make the artefact store: %w", err)
				}
			}
			l, err := lab.Up(cmd.Context(), o)
			if err != nil {
				return err
			}
			return form.print(cmd, l.File+"\n", "lab", labDoc{Name: l.Name, File: l.File})
		},
	}
	form.flags(cmd, "")
	f := cmd.Flags()
	f.IntVar(&o.ControlPlanes, "control-planes", 3, "how many control planes")
	f.IntVar(&o.Workers, "workers", 0, "how many workers")
	f.IntVar(&o.Etcd, "etcd", 0, "how many hosts for etcd alone")
	f.IntVar(&o.LoadBalancers, "load-balancers", 0, "how many bare hosts for balancers")
	f.StringVar(&o.Dir, "dir", "", "where the cluster file and its key go (default: here)")
	return cmd
}

func labList() *cobra.Command {
	var f form
	cmd := &cobra.Command{
		Use: "list", Example: "  quorate lab list",
		Short: "Show all labs and their hosts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			labs, err := lab.List()
			if err != nil {
				return err
			}
			var text strings.Builder
			doc := labsDoc{Hosts: []labHostDoc{}, Broken: []string{}}
			w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "HOST\tADDRESS\tROLE\tSTATE")
			for _, l := range labs {
				all, err := l.Status(cmd.Context())
				if err != nil {
					fmt.Fprintf(w, "%s\t%s\t\t%s or broken; quorate lab clean\n", l.Name, l.Prefix(), l.Phase)
					doc.Broken = append(doc.Broken, l.Name)
					continue
				}
				for _, s := range all {
					fmt.Fprintf(w, "%s/%s\t%s\t%s\t%s\n", l.Name, s.Host.Name, s.Host.Address, s.Host.Role, labState(s))
					doc.Hosts = append(doc.Hosts, labHostDoc{Lab: l.Name, Host: s.Host.Name, Address: s.Host.Address.String(), Role: s.Host.Role,
						Running: s.Running, Cut: s.Cut, CutPorts: append([]int{}, s.Ports...)})
				}
			}
			w.Flush()
			return f.print(cmd, text.String(), "labs", doc)
		},
	}
	f.flags(cmd, "")
	return cmd
}

func labState(s lab.Status) string {
	state := "off"
	if s.Running {
		state = "running"
	}
	if s.Cut {
		state += ", cut off"
	}
	if n := len(s.Ports); n > 0 {
		state += fmt.Sprintf(", %d ports cut off from %d on", n, s.Ports[0])
	}
	return state
}

func labDown() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "down NAME... | --all", Example: "  quorate lab down demo",
		Short: "Remove labs and everything they added to this machine",
		RunE: func(cmd *cobra.Command, names []string) error {
			if all == (len(names) > 0) {
				return usageError{errors.New("name the labs to remove, or pass --all")}
			}
			if all {
				labs, err := lab.List()
				if err != nil {
					return err
				}
				for _, l := range labs {
					names = append(names, l.Name)
				}
			}
			for _, name := range names {
				if err := lab.Down(cmd.Context(), name); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "remove every lab")
	return reportsDone(cmd)
}

func labClean() *cobra.Command {
	var f form
	cmd := &cobra.Command{
		Use: "clean", Example: "  quorate lab clean",
		Short: "Remove what killed commands and reboots left behind",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			removed, err := lab.Clean(cmd.Context())
			text := ""
			for _, what := range removed {
				text += "removed " + what + "\n"
			}
			return errors.Join(err, f.print(cmd, text, "cleaned", cleanedDoc{append([]string{}, removed...)}))
		},
	}
	f.flags(cmd, "")
	return cmd
}

func labSSH(in *string) *cobra.Command {
	return &cobra.Command{
		Use: "ssh HOST [-- COMMAND...]", Example: "  quorate lab ssh demo/cp1",
		Short: "Log in to a host over SSH",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			l, host, err := labHost(*in, args[0])
			if err != nil {
				return err
			}
			return l.SSH(host, args[1:]...)
		},
	}
}

func labExec(in *string) *cobra.Command {
	return &cobra.Command{
		Use: "exec HOST -- COMMAND...", Example: "  quorate lab exec demo/cp1 -- systemctl status etcd",
		Short: "Run a command on a host, also on one that is cut off",
		Args:  cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, host, err := labHost(*in, args[0])
			if err != nil {
				return err
			}
			return l.Exec(cmd.Context(), host, args[1:], cmd.InOrStdin(), unfiltered(cmd.OutOrStdout()), unfiltered(cmd.ErrOrStderr()))
		},
	}
}

// labPower is a command that does one thing to one host.
func labPower(use, short string, in *string, do func(*lab.Lab, context.Context, string) error) *cobra.Command {
	return reportsDone(&cobra.Command{
		Use: use, Short: short, Example: "  quorate lab " + strings.Fields(use)[0] + " demo/cp1",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, host, err := labHost(*in, args[0])
			if err != nil {
				return err
			}
			return do(l, cmd.Context(), host)
		},
	})
}

func labHang(in *string) *cobra.Command {
	return reportsDone(&cobra.Command{
		Use: "hang HOST SERVICE", Example: "  quorate lab hang demo/cp1 etcd",
		Short: "Freeze the processes of a service (SIGSTOP)",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			l, host, err := labHost(*in, args[0])
			if err != nil {
				return err
			}
			return l.Hang(cmd.Context(), host, args[1])
		},
	})
}

// labHost finds the lab of NAME/cp1, or of cp1 when it is clear which.
func labHost(in, arg string) (*lab.Lab, string, error) {
	name, host, ok := strings.Cut(arg, "/")
	if !ok {
		name, host = in, arg
	}
	if name == "" {
		labs, err := lab.List()
		if err != nil {
			return nil, "", err
		}
		if len(labs) != 1 {
			return nil, "", usageError{fmt.Errorf("host %s: there are %d labs; choose one: NAME/%s or --lab NAME", host, len(labs), host)}
		}
		name = labs[0].Name
	}
	l, err := lab.Open(name)
	return l, host, err
}
