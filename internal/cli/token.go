package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"
	bootstrap "k8s.io/cluster-bootstrap/token/api"

	"quorate.dev/quorate/internal/kubeapi"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/spec"
)

// kubeadmNodes are those who may join with a token, as kubeadm binds them
// (cmd/kubeadm/app/constants, NodeBootstrapTokenAuthGroup).
const kubeadmNodes = "system:bootstrappers:kubeadm:default-node-token"

func tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Example: "  quorate token create -f prod.yaml",
		Short: "Bootstrap tokens, with which nodes join by hand",
		Long: `A bootstrap token lets a machine ask for the certificate of a node. Hosts of the
file need none: apply brings them their certificates. Tokens are for nodes that
join a kubeadm cluster by hand or by other tools.`,
		Args: cobra.ArbitraryArgs, RunE: subcommands,
	}
	cmd.AddCommand(tokenCreateCommand(), tokenListCommand(), tokenDeleteCommand())
	return cmd
}

// withAPI runs a command that looks at the cluster and asks its API; fits may
// refuse the file before anything is asked.
func (t *target) withAPI(cmd *cobra.Command, f form, fits func(*spec.Cluster) error,
	do func(*session, *observe.Observation, *kubeapi.Client) error) error {
	s, err := t.openFor(cmd, f)
	if err != nil {
		return err
	}
	defer s.close()
	if err := fits(s.file); err != nil {
		return usageError{err}
	}
	ob, err := s.engine.Look(cmd.Context())
	if err != nil {
		return err
	}
	if ob.Shared == nil {
		return noKeys(ob, s.file)
	}
	c, err := s.engine.API(cmd.Context(), ob)
	if err != nil {
		return err
	}
	return do(s, ob, c)
}

// tokenOptions is what a token was asked for.
type tokenOptions struct {
	life         time.Duration
	description  string
	controlPlane bool
}

func tokenCreateCommand() *cobra.Command {
	var t target
	var f form
	var o tokenOptions
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Create a bootstrap token and print the command to join with",
		Long: `Create prints the kubeadm command with which a node joins, and whoever has that can
become a node until the token expires. Of a cluster of the systemd flavour, where
kubeadm does not join nodes, it prints the token alone: with it one may ask for a
node's certificate, which a person approves (kubectl certificate approve).
With --control-plane kubeadm uploads the cluster's keys, encrypted, for two hours,
and the command makes a control plane. kubeadm uploads neither the encryption
configuration nor the audit policy: the files to copy first are named.`,
		Example: "  quorate token create -f prod.yaml --for 2h\n  quorate token create -f prod.yaml --control-plane",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.life < time.Minute {
				return usageError{fmt.Errorf("--for %s: must be at least a minute", o.life)}
			}
			return t.withAPI(cmd, f, o.fits, func(s *session, ob *observe.Observation, c *kubeapi.Client) error {
				return s.createToken(cmd, f, o, ob, c)
			})
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	cmd.Flags().DurationVar(&o.life, "for", 24*time.Hour, "how long the token is valid")
	cmd.Flags().StringVar(&o.description, "description", "created by quorate", "what it is for, as `quorate token list` shows it")
	cmd.Flags().BoolVar(&o.controlPlane, "control-plane", false, "the command for a control plane (flavour kubeadm)")
	return cmd
}

// fits says whether a cluster takes control planes that join by hand.
func (o tokenOptions) fits(file *spec.Cluster) error {
	if o.controlPlane && file.Spec.ControlPlaneEndpoint == "" {
		return fmt.Errorf("--control-plane: kubeadm joins no control plane to a cluster without an endpoint; give the file a " +
			"controlPlaneEndpoint and a loadBalancer, and apply")
	}
	if f := file.Spec.Kubernetes.Flavour; o.controlPlane && f != spec.FlavourKubeadm {
		return fmt.Errorf("--control-plane: nobody joins a cluster of flavour %s by hand; add the host to the file and apply", f)
	}
	return nil
}

func anyFile(*spec.Cluster) error { return nil }

// createToken makes the token and says how to join with it.
func (s *session) createToken(cmd *cobra.Command, f form, o tokenOptions, ob *observe.Observation, c *kubeapi.Client) error {
	byKubeadm := s.file.Spec.Kubernetes.Flavour == spec.FlavourKubeadm
	hash, err := pki.DiscoveryHash(ob.Shared.CA.Cert)
	if err != nil {
		return err
	}
	ends := time.Now().Add(o.life).Truncate(time.Second).UTC()
	want := kubeapi.Token{Description: o.description, Expires: &ends, Usages: []string{"authentication"}}
	if byKubeadm { // kubeadm checks the cluster by what is signed with the token
		want.Usages, want.Groups = bootstrap.KnownTokenUsages, []string{kubeadmNodes}
	}
	made, whole, err := c.CreateToken(cmd.Context(), want)
	if err != nil {
		return err
	}
	doc := tokenDoc{ID: made.ID, Token: whole, Expires: ends, Endpoint: s.file.Endpoint(), DiscoveryHash: hash,
		Copy: []copyDoc{}}
	says := whole + "\n"
	if byKubeadm {
		doc.Join = fmt.Sprintf("kubeadm join %s --token %s --discovery-token-ca-cert-hash %s", doc.Endpoint, whole, hash)
	}
	if o.controlPlane {
		key, on, err := s.engine.UploadCerts(cmd.Context(), ob)
		if err != nil {
			return fmt.Errorf("token %s was created, but the keys were not uploaded: %w", made.ID, err)
		}
		doc.CertificateKey = key
		doc.Join += " --control-plane --certificate-key " + key
		if len(ob.Goal.Base.Patches) > 0 {
			doc.Join += " --patches " + ob.Goal.Layout.Kubelet.Patches
		}
		for _, path := range ob.Goal.Base.CarriedByHand() {
			doc.Copy = append(doc.Copy, copyDoc{Path: path, From: string(on)})
		}
	}
	if doc.Join != "" {
		says = doc.Join + "\n"
	}
	if err := f.print(cmd, says, "token", doc); err != nil || f.json() {
		return err
	}
	fmt.Fprint(cmd.ErrOrStderr(), doc.notes(s.file))
	return nil
}

// notes is what a person needs beside the command.
func (d tokenDoc) notes(file *spec.Cluster) string {
	var b strings.Builder
	fmt.Fprintf(&b, "token %s is valid until %s\n", d.ID, d.Expires.Format(time.RFC3339))
	if d.Join == "" {
		fmt.Fprintf(&b, "CA: %s\nwhat asks with it for a node's certificate gets one when a person approves: kubectl get csr, "+
			"kubectl certificate approve NAME\n", d.DiscoveryHash)
		return b.String()
	}
	if first := file.ControlPlanes()[0]; file.Spec.ControlPlaneEndpoint != "" {
		fmt.Fprintf(&b, "before it joins, %s must lead to the API on that host, for example by a line in /etc/hosts: %s %s\n",
			file.EndpointHost(), first.InternalAddress, file.EndpointHost())
	}
	if d.CertificateKey != "" {
		fmt.Fprintln(&b, "the uploaded keys and --certificate-key expire in two hours")
	}
	for _, c := range d.Copy {
		fmt.Fprintf(&b, "copy %s from %s first, with its mode and owner\n", c.Path, c.From)
	}
	return b.String()
}

func tokenListCommand() *cobra.Command {
	var t target
	var f form
	cmd := &cobra.Command{
		Use: "list", Short: "List bootstrap tokens", Example: "  quorate token list -f prod.yaml",
		Long: `List shows tokens by their id, which is no secret. The rest of a token is shown
only by create.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return t.withAPI(cmd, f, anyFile, func(_ *session, _ *observe.Observation, c *kubeapi.Client) error {
				list, err := c.Tokens(cmd.Context())
				if err != nil {
					return err
				}
				return f.print(cmd, tokenTable(list, time.Now()), "tokens", tokensDoc{list})
			})
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	return cmd
}

func tokenTable(list []kubeapi.Token, now time.Time) string {
	if len(list) == 0 {
		return "there are no tokens\n"
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tEXPIRES\tUSAGES\tGROUPS\tDESCRIPTION")
	for _, t := range list {
		ends := "never"
		if t.Expires != nil {
			if ends = "expired"; t.Expires.After(now) {
				ends = "in " + duration.HumanDuration(t.Expires.Sub(now))
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.ID, ends, strings.Join(t.Usages, ","), strings.Join(t.Groups, ","), t.Description)
	}
	w.Flush()
	return b.String()
}

func tokenDeleteCommand() *cobra.Command {
	var t target
	var f form
	cmd := &cobra.Command{
		Use: "delete ID", Short: "Delete a bootstrap token", Example: "  quorate token delete -f prod.yaml 0a1b2c",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := kubeapi.TokenID(args[0])
			if err != nil {
				return usageError{err}
			}
			return t.withAPI(cmd, f, anyFile, func(_ *session, _ *observe.Observation, c *kubeapi.Client) error {
				if err := c.DeleteToken(cmd.Context(), id); err != nil {
					return err
				}
				return f.print(cmd, "token "+id+" is deleted; nodes that joined with it stay\n", "tokenDeleted", tokenDeletedDoc{id})
			})
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	return cmd
}
