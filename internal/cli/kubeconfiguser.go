package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/kubeconfig"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
)

// userOptions is what a user's kubeconfig was asked for.
type userOptions struct {
	groups          []string
	role, namespace string
	life            time.Duration
}

func userCommand() *cobra.Command {
	var t target
	var a access
	var o userOptions
	cmd := &cobra.Command{
		Use:   "user NAME",
		Short: "Create a kubeconfig for somebody else, with a short life and few rights",
		Long: `User has the cluster sign a client certificate through its API, as any client
could ask it to, and writes a kubeconfig with it. What the user may do follows from
RBAC: from the groups, and from the role, which is bound to the user in the
namespace or, without one, in the whole cluster. A certificate cannot be revoked:
give it a short life.
The API signs nothing for the group system:masters, which is above RBAC. Asked for
by that name, it is issued with the cluster's CA directly.`,
		Example: `  quorate kubeconfig user ann --group developers --for 8h --to ann.kubeconfig
  quorate kubeconfig user ci --role edit --namespace shop --for 1h --to ci.kubeconfig`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.user = args[0]
			if err := o.validate(a.user); err != nil {
				return usageError{err}
			}
			if err := a.validate(); err != nil {
				return usageError{err}
			}
			fits := func(file *spec.Cluster) error {
				_, _, err := a.address(file)
				return err
			}
			return t.withAPI(cmd, a.form, fits, func(s *session, ob *observe.Observation, c *kubeapi.Client) error {
				return s.createUser(cmd, a, o, ob, c)
			})
		},
	}
	t.flags(cmd)
	a.flags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&o.groups, "group", nil, "a group that the user belongs to; may be given again")
	f.StringVar(&o.role, "role", "", "a Role of the namespace or a ClusterRole to bind to the user")
	f.StringVar(&o.namespace, "namespace", "", "where the role applies, and the kubeconfig's namespace")
	f.DurationVar(&o.life, "for", 8*time.Hour, "how long the certificate is valid; it cannot be revoked earlier")
	return cmd
}

// validate refuses what the API would refuse later, and what nobody wants.
func (o userOptions) validate(name string) error {
	switch {
	case name == "" || strings.HasPrefix(name, "system:"):
		return fmt.Errorf("user %q: names that begin with system: are Kubernetes' own", name)
	case len(o.groups) == 0 && o.role == "":
		return errors.New("give --group or --role: without either the user may do nothing")
	case slices.Contains(o.groups, ""):
		return errors.New("--group: a group needs a name")
	case o.life < kubeapi.MinUserLife:
		return fmt.Errorf("--for %s: the API takes %s at least", o.life, kubeapi.MinUserLife)
	}
	return nil
}

func (s *session) createUser(cmd *cobra.Command, a access, o userOptions, ob *observe.Observation, c *kubeapi.Client) error {
	server, serverName, err := a.address(s.file)
	if err != nil {
		return err
	}
	if o.role != "" {
		bound, err := c.Grant(cmd.Context(), a.user, o.role, o.namespace)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "bound %s to %s (%s)\n", o.role, a.user, bound)
	}
	cert, key, err := o.certificate(cmd, a.user, ob, c)
	if err != nil {
		return err
	}
	ends, err := pki.Expiry(cert)
	if err != nil {
		return err
	}
	text, err := kubeconfig.Write(kubeconfig.Person{Cluster: s.file.Metadata.Name, User: a.user, Server: server, ServerName: serverName,
		Namespace: o.namespace, CA: ob.Shared.CA.Cert, Cert: cert, Key: key})
	if err != nil {
		return err
	}
	if err := a.deliver(cmd, text); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s is valid until %s\n", a.user, ends.UTC().Format(time.RFC3339))
	if a.server == "" && a.host == "" {
		hint(cmd, s.file)
	}
	return nil
}

// certificate is signed through the API, which does not do that for
// system:masters.
func (o userOptions) certificate(cmd *cobra.Command, name string, ob *observe.Observation, c *kubeapi.Client) (cert, key []byte,
	err error) {
	if slices.Contains(o.groups, pki.MastersGroup) {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s is above RBAC: nobody can limit this user before the certificate expires\n",
			pki.MastersGroup)
		return pki.UserClient(*ob.Shared, name, o.groups, o.life, time.Now())
	}
	request, key, err := pki.UserRequest(name, o.groups)
	if err != nil {
		return nil, nil, err
	}
	cert, err = c.SignClient(cmd.Context(), request, o.life)
	return cert, key, err
}
