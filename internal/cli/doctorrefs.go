package cli

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/observe"
	"quorate.dev/quorate/internal/refs"
)

func doctorRefsCommand() *cobra.Command {
	var t target
	var f form
	var secrets bool
	var gone []string
	cmd := &cobra.Command{
		Use: "refs", Example: "  quorate doctor refs -f prod.yaml\n  quorate doctor refs -f prod.yaml --gone cp3,10.0.0.13 --secrets",
		Short: "List what still names a host or an address that is gone",
		Long: `Refs looks for hosts that are not in the file any more where people and programs
are told of them: load balancers, kubeconfigs (in homes, too, and on this machine),
units, static pods, certificates, hosts files, cron jobs and CNI configuration on
the hosts, etcd's members, nodes, the endpoints of the API, ConfigMaps in
kube-system and kube-public, and with --secrets all Secrets, of which nothing but
the address is shown. Each has its place and what to do. Nothing is changed.
It knows who is gone from the cluster; of hosts that left earlier it finds addresses
with a port of an API server or of etcd. Name others with --gone.
It ends with 0 when nothing was found, else with 1; also when something could not
be looked at.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := t.openWith(cmd.Context(), cmd, noArtifacts)
			if err != nil {
				return err
			}
			defer s.close()
			ob, err := s.engine.Look(cmd.Context())
			if err != nil {
				return err
			}
			left := s.gone(ob)
			for _, name := range gone {
				left[strings.ToLower(name)] = strings.ToLower(name)
			}
			r := s.stale(cmd.Context(), ob, left, secrets)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			return f.verdict(cmd, r.Text(), "refs", r, r.Well())
		},
	}
	t.flags(cmd)
	f.flags(cmd, "")
	cmd.Flags().BoolVar(&secrets, "secrets", false, "look into Secrets, too; their content is not shown")
	cmd.Flags().StringSliceVar(&gone, "gone", nil, "more names and addresses of hosts that are gone")
	return cmd
}

// gone are the names and addresses of hosts that are known and not in the file.
func (s *session) gone(ob *observe.Observation) map[string]string {
	out := map[string]string{}
	for _, d := range ob.API.Departed {
		out[d.Name], out[d.Address] = d.Name, d.Name
	}
	for id, n := range ob.API.Nodes {
		if _, stays := s.file.Host(string(id)); !stays {
			out[string(id)], out[n.Address] = string(id), string(id)
		}
	}
	for id, m := range ob.Etcd.Members {
		if _, stays := s.file.Host(string(id)); !stays {
			out[string(id)] = string(id)
			for _, text := range append(m.PeerURLs, m.ClientURLs...) {
				if u, err := url.Parse(text); err == nil {
					out[u.Hostname()] = string(id)
				}
			}
		}
	}
	for id, address := range ob.API.Elsewhere {
		out[address] = "an earlier " + string(id)
	}
	delete(out, "")
	return out
}

// refsCluster is what the judge of references must know.
func (s *session) refsCluster(ob *observe.Observation, gone map[string]string) refs.Cluster {
	at := goal.LayoutOf(s.file)
	c := refs.Cluster{Endpoint: s.file.Spec.ControlPlaneEndpoint, Gone: gone, Live: map[string]bool{}, Own: map[string]bool{},
		Ports: map[string]bool{at.APIServer.Port: true, at.Etcd.ClientPort: true, at.Etcd.PeerPort: true}}
	names := append([]string{s.file.EndpointHost()}, s.file.Spec.CertSANs...)
	for _, h := range s.file.Spec.Hosts {
		names = append(names, h.Name, h.Address, h.InternalAddress)
		names = append(names, ob.Facts[model.HostID(h.Name)].Addresses...)
		for _, list := range ob.Goal.Paths(model.HostID(h.Name)) {
			for _, p := range list {
				c.Own[p] = !at.Kubeadm
			}
		}
	}
	for _, n := range names {
		c.Live[strings.ToLower(n)] = true
	}
	for _, cidr := range []string{s.file.Spec.Network.PodCIDR, s.file.Spec.Network.ServiceCIDR} {
		if p, err := netip.ParsePrefix(cidr); err == nil {
			c.Networks = append(c.Networks, p)
		}
	}
	if ob.Shared != nil {
		if block, _ := pem.Decode(ob.Shared.CA.Cert); block != nil {
			c.CA = block.Bytes
		}
	}
	return c
}

// stale looks everywhere.
func (s *session) stale(ctx context.Context, ob *observe.Observation, gone map[string]string, secrets bool) refs.Report {
	c := s.refsCluster(ob, gone)
	var all []refs.Mention
	var notAsked []string
	add := func(seen []refs.Mention, not []string) {
		all, notAsked = append(all, seen...), append(notAsked, not...)
	}
	var hosts []host.Host
	for _, h := range s.file.Spec.Hosts {
		if err := ob.Facts[model.HostID(h.Name)].Err; err != nil {
			notAsked = append(notAsked, err.Error())
			continue
		}
		hosts = append(hosts, s.hosts[model.HostID(h.Name)])
	}
	add(c.OnHosts(ctx, hosts, goal.LayoutOf(s.file)))
	home, _ := os.UserHomeDir() // without one there is no folder to look in
	add(c.OnThisMachine(home, os.Getenv("KUBECONFIG"), "/etc/hosts"))
	for id := range ob.API.Nodes {
		all = append(all, refs.Mention{Host: refs.InCluster, Kind: refs.Node, Place: string(id), Name: string(id), Certain: true})
	}
	for id, m := range ob.Etcd.Members {
		for _, text := range m.PeerURLs {
			if u, err := url.Parse(text); err == nil {
				all = append(all, refs.Mention{Host: refs.InCluster, Kind: refs.Member, Place: string(id), Name: u.Hostname(), Port: u.Port(),
					Certain: true})
			}
		}
	}
	if ob.Etcd.Err != nil {
		notAsked = append(notAsked, fmt.Sprintf("etcd's members: %v", ob.Etcd.Err))
	}
	api, err := s.engine.API(ctx, ob)
	if err != nil {
		notAsked = append(notAsked, fmt.Sprintf("objects of the cluster: %v", err))
	} else {
		add(c.InObjects(ctx, api, secrets))
	}
	return refs.Judge(c, all, notAsked)
}

// staleTime bounds the look at the end of a change.
const staleTime = 45 * time.Second

// sayStale lists what still names the hosts that a change has removed.
func (s *session) sayStale(cmd *cobra.Command, f form, gone map[string]string) error {
	if len(gone) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), staleTime)
	defer cancel()
	ob, err := s.engine.Look(ctx)
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: what still names the hosts that left was not looked at: %v\n", err)
		return nil
	}
	r := s.stale(ctx, ob, gone, false)
	if f.json() {
		return emit(cmd, "refs", r)
	}
	if len(r.Refs) > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "\nstill named (quorate doctor refs shows it again):\n%s", r.Text())
	}
	return nil
}
