package spec

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Init is a commented starter file for a cluster of that name. Without hosts it
// has three control planes and a worker at made-up addresses.
func Init(name string, hosts ...Host) []byte {
	if len(hosts) == 0 {
		for i, a := range []string{"10.0.0.11", "10.0.0.12", "10.0.0.13"} {
			hosts = append(hosts, Host{Name: fmt.Sprintf("cp%d", i+1), Address: a, Roles: []string{RoleControlPlane}})
		}
		hosts = append(hosts, Host{Name: "w1", Address: "10.0.0.21", Roles: []string{RoleWorker}})
	}
	var list strings.Builder
	for _, h := range hosts {
		list.WriteString("    - " + flow(h) + "\n")
	}
	return fmt.Appendf(nil, starter, flow(name), SupportedMinors[len(SupportedMinors)-1], name, list.String())
}

// flow is v as YAML on one line.
func flow(v any) string {
	n := toNode(reflect.ValueOf(v))
	n.Style = yaml.FlowStyle
	out, err := yaml.Marshal(n)
	if err != nil {
		return fmt.Sprintf("%q", fmt.Sprint(v)) // a string that YAML cannot hold; Parse will say so
	}
	return strings.TrimSpace(string(out))
}

const starter = `# A quorate cluster file. quorate plan shows what it would do, quorate apply does it.
# Commented keys show their defaults; quorate schema prints every key, for editors.
apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata:
  name: %[1]s
spec:
  kubernetes:
    version: v%[2]s.3

  # The name and port under which everything reaches the API servers. On every host it
  # leads to that host's own load balancer; for clients outside, let it resolve to one or
  # more control planes. Not 6443: that is the API server's own port.
  controlPlaneEndpoint: api.%[3]s.internal:8443
  # certSANs: [203.0.113.7]          # more names and addresses for the API servers' certificates

  # network:
  #   podCIDR: 10.244.0.0/16         # must not contain any host's address
  #   serviceCIDR: 10.96.0.0/12      # nor this
  #   cni: bridge                    # bridge, none or the path of a manifest
  #   proxyMode: nftables            # nftables, iptables or ipvs

  # How the hosts are reached; a host may have an ssh of its own with any of these.
  ssh:
    user: root
    # port: 22
    # keyFile: ~/.ssh/id_ed25519     # without it: ssh-agent, then ~/.ssh/id_*
    # jump: user@bastion:22

  # One control plane works, three survive the loss of one, five the loss of two. An even
  # number survives no more than one less. address is for SSH; internalAddress (default: the
  # same) is for the cluster. Roles: control-plane, worker, or both.
  hosts:
%[4]s`
