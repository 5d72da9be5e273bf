package lab

import (
	"fmt"
	"strings"
)

// clusterFile is the lab as a cluster file: complete, ready for
// `quorate apply`, and commented for those who read it first here.
func (l *Lab) clusterFile() []byte {
	var b strings.Builder
	topology := "stacked"
	for _, h := range l.Hosts {
		if h.Role == RoleEtcd {
			topology = "external"
		}
	}
	fmt.Fprintf(&b, `# Written by "quorate lab up %[1]s": the hosts are systemd-nspawn containers on
# this machine, in %[2]s. "quorate lab down %[1]s" removes them.
apiVersion: quorate.dev/v1alpha1
kind: Cluster
metadata: {name: %[1]s}
spec:
  kubernetes: {version: v1.36.3, flavour: systemd}
  controlPlaneEndpoint: api.%[1]s.lab:8443
  etcd: {topology: %[3]s}
  network: {podCIDR: 10.244.0.0/16, serviceCIDR: 10.96.0.0/12, cni: bridge, proxyMode: nftables}
  # What a container cannot do: its cgroups may be version 1, which the kubelet
  # refuses unless told otherwise; it may not lower an OOM score below its own;
  # nf_conntrack_max belongs to the machine; and all hosts share the machine's
  # disk, of which less than 15%% may be free. Real hosts need none of this.
  kubeletConfiguration:
    failCgroupV1: false
    oomScoreAdj: 0
    evictionHard: {memory.available: 100Mi, nodefs.available: 1%%, imagefs.available: 1%%}
  kubeProxyConfiguration: {conntrack: {maxPerCore: 0}, oomScoreAdj: 0}
  ssh:
    user: root
    keyFile: %[4]q
    knownHostsFile: %[5]q
  hosts:
`, l.Name, l.Prefix(), topology, l.KeyFile, l.Known)
	for _, h := range l.Hosts {
		if h.Role == RoleLoadBalancer {
			fmt.Fprintf(&b, "    # %s %s is a bare host, for a balancer of your own.\n", h.Name, h.Address)
			continue
		}
		fmt.Fprintf(&b, "    - {name: %s, address: %s, roles: [%s]}\n", h.Name, h.Address, h.Role)
	}
	return []byte(b.String())
}
