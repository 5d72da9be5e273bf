package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/adopt"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/spec"
)

// adopting is what adopt was asked for.
type adopting struct {
	target
	form
	hosts        []string
	ssh          spec.SSH
	name, report string
}

// adoptDoc is the report with the file.
type adoptDoc struct {
	File string `json:"file"`
	adopt.Report
}

func adoptCommand() *cobra.Command {
	var a adopting
	cmd := &cobra.Command{
		Use:   "adopt --host [USER@]ADDRESS[:PORT]...",
		Short: "Look at a running cluster that quorate did not make, and write its cluster file",
		Long: `Adopt finds a cluster that kubeadm has set up, from one of its control planes. It
looks at all hosts that the API server and etcd name, and writes the cluster file
to stdout and a report to stderr. It is strictly read-only: nothing is changed on
any host or in the cluster.

The plan for that file is empty. What the file does not say stays as it was found.
A host that cannot be reached is in the file with what others know of it.

A control plane of systemd units that people have written by hand is recognised and
reported. quorate cannot care for such a cluster yet, so no file is written.`,
		Example: `  quorate adopt --host root@10.0.0.11 > cluster.yaml
  quorate adopt --host admin@10.0.0.11 --ssh-key ~/.ssh/prod --report report.txt > cluster.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&a.hosts, "host", nil, "a host of the cluster: a control plane, or more of them")
	f.StringVar(&a.name, "name", "", "the cluster's name in the file (default: the one that kubeadm has)")
	f.StringVar(&a.report, "report", "", "write the report to this file, too")
	f.StringVar(&a.ssh.KeyFile, "ssh-key", "", "as spec.ssh.keyFile: the private key")
	f.StringVar(&a.ssh.PasswordFile, "ssh-password-file", "", "as spec.ssh.passwordFile")
	f.StringVar(&a.ssh.KnownHostsFile, "ssh-known-hosts", "", "as spec.ssh.knownHostsFile (default ~/.ssh/known_hosts)")
	f.StringVar(&a.ssh.Jump, "ssh-jump", "", "as spec.ssh.jump: [user@]host[:port] to go through")
	f.StringVar(&a.ssh.JumpPasswordFile, "ssh-jump-password-file", "", "as spec.ssh.jumpPasswordFile")
	f.StringVar(&a.ssh.SudoPasswordFile, "sudo-password-file", "", "as spec.ssh.sudoPasswordFile")
	f.BoolVar(&a.acceptNew, "accept-new", false, "ask about unknown SSH host keys and record those you accept")
	a.form.flags(cmd, "(the file is in it)")
	return cmd
}

func (a *adopting) run(cmd *cobra.Command) error {
	if len(a.hosts) == 0 {
		return usageError{errors.New("give a control plane of the cluster with --host, such as --host root@10.0.0.11")}
	}
	ctx := cmd.Context()
	o := adopt.Options{Name: a.name, Now: time.Now()}
	for i, text := range a.hosts {
		user, address, port, err := loginOf(text)
		if err != nil {
			return usageError{err}
		}
		if i == 0 {
			a.ssh.User, a.ssh.Port = user, port
		}
		seed := adopt.Seed{Address: address}
		if user != a.ssh.User || port != a.ssh.Port {
			seed.SSH = &spec.SSH{User: user, Port: port}
		}
		seed.Host = a.reach(cmd, spec.Host{Name: address, Address: address, SSH: seed.SSH})
		o.Seeds = append(o.Seeds, seed)
	}
	o.SSH = a.ssh
	o.Connect = func(name, address string) host.Host { return a.reach(cmd, spec.Host{Name: name, Address: address}) }
	defer func() {
		for _, s := range o.Seeds {
			_ = s.Host.Close() // nothing was written
		}
	}()
	found, err := adopt.Look(ctx, o)
	if by := (adopt.UnitsError{}); errors.As(err, &by) {
		return a.units(cmd, o, by)
	}
	if err != nil {
		return err
	}
	text, r, err := found.Make()
	if r.Cluster == "" {
		return err
	}
	r.References = append(r.References, a.references(ctx, cmd, found)...)
	if err != nil { // what was seen is told all the same
		fmt.Fprint(cmd.ErrOrStderr(), r.Text())
		return errors.Join(err, a.keep(r))
	}
	return a.deliver(cmd, text, r)
}

// references opens each host once more: those that others named were closed.
func (a *adopting) references(ctx context.Context, cmd *cobra.Command, found adopt.Found) []adopt.Reference {
	return found.References(ctx, func(m adopt.Machine) host.Host {
		return a.reach(cmd, spec.Host{Name: m.Name, Address: m.Address, SSH: m.SSH})
	})
}

// keep writes the report to the file that was asked for.
func (a *adopting) keep(r adopt.Report) error {
	if a.report == "" {
		return nil
	}
	return writeNew(a.report, []byte(r.Text()))
}

func (a *adopting) deliver(cmd *cobra.Command, file []byte, r adopt.Report) error {
	if err := a.keep(r); err != nil {
		return err
	}
	if a.form.json() {
		return a.form.print(cmd, "", "adopt", adoptDoc{string(file), r})
	}
	fmt.Fprint(cmd.ErrOrStderr(), r.Text())
	if _, err := cmd.OutOrStdout().Write(file); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "\nnothing was changed; next: keep what went to stdout as cluster.yaml, and see that "+
		"there is nothing to do: quorate plan\n")
	return nil
}

// reach prepares the connection to a host, as the cluster file would say it.
func (a *adopting) reach(cmd *cobra.Command, h spec.Host) host.Host {
	file := spec.Default(&spec.Cluster{Spec: spec.Spec{SSH: a.ssh, Hosts: []spec.Host{h}}}, ".")
	return host.New(a.config(cmd, file, file.Spec.Hosts[0]))
}

// loginOf takes [user@]address[:port] apart; port 0 is the usual one.
func loginOf(text string) (user, address string, port int, err error) {
	user, address, found := strings.Cut(text, "@")
	if !found {
		user, address = "", text
	}
	if h, p, serr := net.SplitHostPort(address); serr == nil {
		n, perr := strconv.ParseUint(p, 10, 16)
		if perr != nil || n == 0 {
			return "", "", 0, fmt.Errorf("--host %s: %q is not a port", text, p)
		}
		address, port = h, int(n)
	}
	if address == "" || strings.ContainsAny(address, " /") {
		return "", "", 0, fmt.Errorf("--host %s: want [user@]address[:port]", text)
	}
	return user, address, port, nil
}
