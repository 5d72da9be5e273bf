package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/lblint"
	"quorate.dev/quorate/internal/localfile"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
)

// maxBalancerFile bounds a load balancer's configuration, in bytes.
const maxBalancerFile = 4 << 20

func doctorLBCommand() *cobra.Command {
	var t target
	var f form
	var on string
	cmd := &cobra.Command{
		Use: "lb [FILE...]",
		Example: "  quorate doctor lb haproxy.cfg keepalived.conf\n" +
			"  quorate doctor lb -f prod.yaml haproxy.cfg\n  quorate doctor lb -f prod.yaml --host lb1",
		Short: "Check the configuration of nginx, HAProxy or keepalived in front of API servers",
		Long: `Lb reads configurations that others wrote, and names what in them will hurt the
clients of API servers, with the line and the fix: connections that are cut while
they are idle, servers that are not checked or checked too late, an address that
stays on a host whose load balancer is dead. It changes nothing.

With -f it also names servers that are no control planes of that cluster, and
control planes that are missing. With --host the files are read on a host of the
cluster file, from the places where distributions put them; - reads stdin.
It ends with 0 when nothing was found but notes, else with 1.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if (on == "") == (len(names) == 0) {
				return usageError{errors.New("give configuration files, or --host with a host of the cluster file")}
			}
			var r lblint.Report
			var err error
			if on != "" {
				r, err = lintHost(cmd, &t, on)
			} else {
				r, err = lintFiles(cmd, &t, names)
			}
			if err != nil {
				return err
			}
			return f.verdict(cmd, r.Text(), "lb", r, r.Passed())
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVar(&on, "host", "", "read the files on this host")
	f.flags(cmd, "")
	return cmd
}

// readBalancers prints the configurations that a host has, each as a part "file
// PATH": those that quorate wrote, or else those of others.
func readBalancers(at layout.Layout) string {
	return "own='" + strings.Join(at.BalancerConfigs(), " ") + "' found=\n" + `for f in $own; do
	[ -f "$f" ] && { frame "file $f"; cat "$f"; found=yes; }
done
[ -n "$found" ] || for f in ` + strings.Join(layout.BalancerConfigs, " ") + `; do
	[ -f "$f" ] && { frame "file $f"; cat "$f"; }
done
frame_end
`
}

// lintFiles judges files of this machine. The cluster is known when -f names it.
func lintFiles(cmd *cobra.Command, t *target, names []string) (r lblint.Report, err error) {
	var known lblint.Known
	if cmd.Flags().Changed("file") {
		file, _, err := t.read(cmd.Context(), cmd)
		if err != nil {
			return r, err
		}
		known = knownOf(file)
	}
	for _, name := range names {
		var text []byte
		if name == "-" {
			name = "stdin"
			text, err = localfile.ReadStream(cmd.Context(), name, cmd.InOrStdin(), maxBalancerFile)
		} else {
			text, err = localfile.Read(name, maxBalancerFile)
		}
		if err != nil {
			return r, usageError{err}
		}
		one, err := lblint.Lint(name, text, known)
		if err != nil {
			return r, usageError{err}
		}
		r.Files = append(r.Files, one)
	}
	return r, nil
}

// lintHost judges what lies on a host. Files that have nothing to do with API
// servers are left out.
func lintHost(cmd *cobra.Command, t *target, on string) (r lblint.Report, err error) {
	s, err := t.openWith(cmd.Context(), cmd, noArtifacts)
	if err != nil {
		return r, err
	}
	defer s.close()
	h := s.hosts[model.HostID(on)]
	if h == nil {
		return r, usageError{fmt.Errorf("--host %s: %s has no such host", on, t.file)}
	}
	answer, err := host.Ask(cmd.Context(), h, host.Script{What: "read load balancer configurations",
		Text: readBalancers(goal.LayoutOf(s.file)), Secret: true})
	if err != nil {
		return r, err
	}
	for _, part := range answer.Names() {
		path, is := strings.CutPrefix(part, "file ")
		if !is {
			continue
		}
		text, _ := answer.Part(part)
		one, err := lblint.Lint(on+":"+path, text, knownOf(s.file))
		switch {
		case err != nil && one.Kind != "": // one of ours to judge, and it cannot be read
			return r, err
		case one.Leads || one.Kind == "keepalived":
			r.Files = append(r.Files, one)
		}
	}
	if len(r.Files) == 0 {
		return r, fmt.Errorf("%s: no configuration of nginx, HAProxy or keepalived there leads to an API server; if it lies elsewhere, "+
			"copy it here and give the copy", on)
	}
	return r, nil
}

// knownOf are the API servers of a cluster file.
func knownOf(file *spec.Cluster) lblint.Known {
	k := lblint.Known{Addresses: map[string]string{}, Port: goal.LayoutOf(file).APIServer.Port}
	for _, h := range file.Spec.Hosts {
		if h.Has(spec.RoleControlPlane) {
			k.Addresses[h.Name] = h.Address
		}
	}
	return k
}
