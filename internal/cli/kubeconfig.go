package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/addon"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/kubeconfig"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
)

// access is what kubeconfig was asked for.
type access struct {
	to, user, server, host string
	merge                  bool
	days                   int
	form                   form
}

func kubeconfigCommand() *cobra.Command {
	var t target
	var a access
	cmd := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Create a kubeconfig with a client certificate of your own",
		Long: `Kubeconfig issues a client certificate with the cluster's CA, which never leaves
the control planes and this program's memory, and writes a kubeconfig for it: to
stdout, to a file, or into the one that kubectl reads. The user belongs to the
group ` + addon.AdminGroup + `, which may do everything. To limit all such certificates
at once, bind the ClusterRoleBinding of that name to a lesser role, or delete it.`,
		Example: `  quorate kubeconfig --merge
  quorate kubeconfig --host cp1 --to prod.kubeconfig`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := t.openWith(cmd.Context(), cmd, noArtifacts)
			if err != nil {
				return err
			}
			defer s.close()
			return a.run(cmd, s)
		},
	}
	t.flags(cmd)
	a.flags(cmd)
	cmd.Flags().StringVar(&a.user, "user", "", "the user's name, as it stands in audit logs (default: yours)")
	cmd.Flags().IntVar(&a.days, "days", 90, "how long the certificate is valid; it cannot be revoked earlier")
	cmd.AddCommand(userCommand())
	return cmd
}

// flags are those of every command that writes a kubeconfig.
func (a *access) flags(cmd *cobra.Command) {
	a.form.flags(cmd, "")
	f := cmd.Flags()
	f.StringVar(&a.to, "to", "", "the file to write (mode 0600); by default stdout")
	f.BoolVar(&a.merge, "merge", false, "merge it into $KUBECONFIG or ~/.kube/config")
	f.StringVar(&a.server, "server", "", "another URL of the API, such as https://127.0.0.1:8443")
	f.StringVar(&a.host, "host", "", "connect to this control plane directly; its certificate is checked against the endpoint's name")
}

func (a access) validate() error {
	switch {
	case a.merge && a.to != "":
		return errors.New("--merge and --to exclude each other")
	case a.server != "" && a.host != "":
		return errors.New("--server and --host exclude each other")
	}
	return nil
}

func (a access) run(cmd *cobra.Command, s *session) error {
	if err := a.validate(); err != nil {
		return usageError{err}
	}
	if a.days < 1 {
		return usageError{fmt.Errorf("--days %d: must be at least 1", a.days)}
	}
	server, serverName, err := a.address(s.file)
	if err != nil {
		return usageError{err}
	}
	name := a.user
	if name == "" {
		if name = "admin"; os.Getenv("USER") != "" {
			name = os.Getenv("USER")
		} else if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	ob, err := s.engine.Look(cmd.Context())
	if err != nil {
		return err
	}
	if ob.Shared == nil {
		return noKeys(ob, s.file)
	}
	cert, key, err := pki.UserClient(*ob.Shared, name, []string{addon.AdminGroup}, time.Duration(a.days)*24*time.Hour, time.Now())
	if err != nil {
		return err
	}
	text, err := kubeconfig.Write(kubeconfig.Person{Cluster: s.file.Metadata.Name, User: name, Server: server, ServerName: serverName,
		CA: ob.Shared.CA.Cert, Cert: cert, Key: key})
	if err != nil {
		return err
	}
	if err := a.deliver(cmd, text); err != nil {
		return err
	}
	if ob.API.Err == nil && !ob.Goal.Want.Addons[addon.AddonRBAC].Is(ob.API.Addons[addon.AddonRBAC]) {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: the cluster may not know the group %s yet: run %s\n", addon.AdminGroup, command(cmd, "apply"))
	}
	if a.server == "" && a.host == "" {
		hint(cmd, s.file)
	}
	return nil
}

// address is the server's URL, and the name its certificate must have when
// that is another.
func (a access) address(file *spec.Cluster) (server, serverName string, err error) {
	switch {
	case a.server != "":
		u, err := url.Parse(a.server)
		if err != nil || u.Scheme != "https" || u.Host == "" {
			return "", "", fmt.Errorf("--server %q: want a URL such as https://127.0.0.1:8443", a.server)
		}
		if u.Hostname() != file.EndpointHost() {
			serverName = file.EndpointHost()
		}
		return a.server, serverName, nil
	case a.host != "":
		h, ok := file.Host(a.host)
		if !ok || !h.Has(spec.RoleControlPlane) {
			return "", "", fmt.Errorf("--host %s: the file has no control plane of that name", a.host)
		}
		port := strconv.Itoa(file.EndpointPort())
		if h.InternalAddress != "" && h.InternalAddress != h.Address {
			port = goal.LayoutOf(file).APIServer.Port // its front door listens on the internal address only
		}
		return "https://" + net.JoinHostPort(h.Address, port), nameFor(h.Address, file), nil
	}
	if file.Spec.ControlPlaneEndpoint == "" { // where this machine reaches it too
		h := file.ControlPlanes()[0]
		return "https://" + net.JoinHostPort(h.Address, strconv.Itoa(file.EndpointPort())), nameFor(h.Address, file), nil
	}
	return "https://" + file.Spec.ControlPlaneEndpoint, "", nil
}

// nameFor is the name that the certificate of the API at an address must have; ""
// when that is the address.
func nameFor(address string, file *spec.Cluster) string {
	if name := file.EndpointHost(); name != address {
		return name
	}
	return ""
}

// noKeys says why no certificate can be made.
func noKeys(ob *observe.Observation, file *spec.Cluster) error {
	if ob.Have.Conflict != "" {
		return errors.New(ob.Have.Conflict)
	}
	if ob.Have.CAsCreated.Is(false) {
		return fmt.Errorf("cluster %s does not exist yet: run quorate apply first", file.Metadata.Name)
	}
	says := []string{"no reachable control plane holds the cluster's keys"}
	for _, id := range ob.IDs() {
		if f := ob.Facts[id]; f.Err != nil {
			says = append(says, "  "+f.Err.Error())
		}
	}
	return errors.New(strings.Join(says, "\n"))
}

// deliver writes the kubeconfig to where it was asked for.
func (a access) deliver(cmd *cobra.Command, text []byte) error {
	path := a.to
	if a.merge {
		var err error
		if path, err = kubeconfigPath(); err != nil {
			return err
		}
		old, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("read the existing kubeconfig: %w", err)
		}
		if text, err = kubeconfig.MergeKubeconfig(old, text); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if path == "" || path == "-" {
		return a.form.print(cmd, string(text), "kubeconfig", kubeconfigDoc{Kubeconfig: string(text)})
	}
	kept, err := replaceFile(path, text)
	if err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	says := "wrote " + path + "\n"
	if kept != "" {
		says += "kept: " + kept + "\n"
	}
	return a.form.print(cmd, says, "kubeconfig", kubeconfigDoc{Path: path, KeptAt: kept})
}

// kubeconfigPath is the file that kubectl writes to.
func kubeconfigPath() (string, error) {
	for _, p := range filepath.SplitList(os.Getenv("KUBECONFIG")) {
		if p != "" {
			return p, nil
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".kube", "config"), nil
}

// replaceFile writes a secret file in one go; the old one is kept beside it.
func replaceFile(path string, text []byte) (kept string, err error) {
	if to, err := filepath.EvalSymlinks(path); err == nil {
		path = to
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".quorate-*") // mode 0600
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	if _, err = tmp.Write(text); err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return "", err
	}
	if _, serr := os.Stat(path); serr == nil {
		kept = path + "." + time.Now().UTC().Format("20060102T150405Z") + ".bak"
		for n := 2; os.Link(path, kept) != nil; n++ {
			if n > 9 {
				return "", fmt.Errorf("%s cannot be kept as %s", path, kept)
			}
			kept = fmt.Sprintf("%s.%s-%d.bak", path, time.Now().UTC().Format("20060102T150405Z"), n)
		}
	}
	return kept, os.Rename(tmp.Name(), path)
}

// hint tells how a machine outside the cluster finds the endpoint.
func hint(cmd *cobra.Command, file *spec.Cluster) {
	name := file.EndpointHost()
	if file.Spec.ControlPlaneEndpoint == "" {
		return
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
	defer cancel()
	if _, err := net.DefaultResolver.LookupHost(ctx, name); err == nil {
		return
	}
	first := file.ControlPlanes()[0]
	address := first.InternalAddress
	if address == "" {
		address = first.Address
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "hint: %s is known on the cluster's hosts only. Here, add a line to /etc/hosts (or to DNS, with "+
		"every control plane):\n  %s %s\nor use an address instead of the name: %s --host %s\n",
		name, address, name, command(cmd, "kubeconfig"), first.Name)
}
