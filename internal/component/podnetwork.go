package component

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/topology"
	"quorate.dev/quorate/internal/workload"
)

// routeProtocol marks our routes in the kernel's table, so that those of
// departed nodes are told from anyone else's (iproute2 rt_protos: 117 is free).
const routeProtocol = "117"

// PodNetwork is the network of pods for spec.network.cni bridge: on every host
// a bridge with addresses of the host's own pod network, and a route to each
// other host's. Hosts must share a segment; there is no tunnel. Traffic that
// leaves the pod network for the outside takes the host's address.
//
// A change of peers is a reload, which takes no route away that stays. Routes
// are applied at boot and at each restart of systemd-networkd; if something else
// removes them, `systemctl reload` of the unit` brings them back. A stop
// leaves everything as it is; see PodNetworkLeftovers.
func PodNetwork(ctx Context) (workload.Service, error) {
	self, err := netip.ParsePrefix(ctx.Self.PodCIDR)
	if err != nil {
		return workload.Service{}, fmt.Errorf("pod network of %s: %q is no network; give the node its share of spec.network.podCIDR first",
			ctx.Self.Name, ctx.Self.PodCIDR)
	}
	conflist, err := bridgeConflist(self)
	if err != nil {
		return workload.Service{}, err
	}
	routes, err := routeBatch(ctx)
	if err != nil {
		return workload.Service{}, err
	}
	at := ctx.Layout.PodNetwork
	family := "-4"
	if self.Addr().Is6() {
		family = "-6"
	}
	// One bad peer keeps neither the others nor the outside away (-force), but
	// the service fails, and the copy of the routes stays behind: its first line
	// tells the stamp, as a oneshot service has no process that could.
	apply := []string{"/usr/sbin/nft -f " + at.Masquerade, "/sbin/ip " + family + " -force -batch " + at.Routes, "/bin/cp " + at.Routes +
		" " + at.Applied}
	lines := []string{
		"[Unit]",
		"Description=Routes to the pods of other hosts",
		"Documentation=https://quorate.dev",
		"X-Quorate=" + ctx.Cluster,
		"Wants=network-online.target",
		"After=network-online.target systemd-networkd.service nftables.service",
		"Before=" + ctx.Layout.Service(model.Kubelet),
		// networkd takes foreign routes away when it starts, the distribution's
		// nftables all tables.
		"PartOf=systemd-networkd.service nftables.service",
		"StartLimitIntervalSec=0",
		"",
		"[Service]",
		"Type=oneshot",
		"RemainAfterExit=yes",
		workload.RuntimeDirectory(at.Run),
		"RuntimeDirectoryPreserve=yes",
		"CapabilityBoundingSet=CAP_NET_ADMIN",
	}
	lines = append(lines, sandbox...)
	for _, c := range apply {
		lines = append(lines, "ExecStart="+c)
	}
	for _, c := range apply {
		lines = append(lines, "ExecReload="+c)
	}
	lines = append(lines,
		"Restart=on-failure",
		"RestartSec=10",
		"",
		"[Install]",
		"WantedBy=multi-user.target",
		"",
	)
	s := workload.Service{Name: ctx.Layout.Unit(model.PodNetwork), Unit: strings.Join(lines, "\n"), Reload: true, Files: []workload.File{
		{File: host.File{Path: at.Conflist, Content: conflist, Mode: 0o600}},
		{File: host.File{Path: at.Masquerade, Content: []byte(masquerade(ctx, self))}},
		{File: host.File{Path: at.Routes, Content: []byte(routes)}},
	}}
	s.Verify = [][]string{s.VerifyUnit(), {"/usr/sbin/nft", "--check", "--file", "{}" + at.Masquerade}}
	return s, nil
}

// PodNetworkLeftovers are the commands that take away what PodNetwork leaves in
// the kernel. Each fails if there is nothing to take.
func PodNetworkLeftovers() [][]string {
	return [][]string{
		{"/sbin/ip", "-4", "route", "flush", "proto", routeProtocol},
		{"/sbin/ip", "-6", "route", "flush", "proto", routeProtocol},
		{"/usr/sbin/nft", "delete", "table", "ip", "quorate-masq"},
		{"/usr/sbin/nft", "delete", "table", "ip6", "quorate-masq"},
		{"/sbin/ip", "link", "delete", "cni0"},
	}
}

// routeBatch is a script of ip -batch: drop what is ours, add what shall be.
// One process does both, within a fraction of a millisecond.
func routeBatch(ctx Context) (string, error) {
	out := []string{"# @QUORATE_CONFIG@", "route flush proto " + routeProtocol}
	peers := slices.SortedFunc(slices.Values(slices.Concat(ctx.Nodes, ctx.Leaving)),
		func(a, b topology.Node) int { return strings.Compare(a.Name, b.Name) })
	for _, n := range peers {
		if n.Name == ctx.Self.Name || n.PodCIDR == "" {
			continue // a node without its share has no pods yet
		}
		if _, err := netip.ParsePrefix(n.PodCIDR); err != nil {
			return "", fmt.Errorf("route from %s to %s: pod network %q: %w", ctx.Self.Name, n.Name, n.PodCIDR, err)
		}
		out = append(out, fmt.Sprintf("route replace %s via %s proto %s", n.PodCIDR, n.Address, routeProtocol))
	}
	return strings.Join(out, "\n") + "\n", nil
}

// masquerade gives pods the host's address on their way out of the cluster.
// Pods are known by their own address on every node, so nothing inside the pod
// network is touched; the first two lines make the file repeatable.
func masquerade(ctx Context, self netip.Prefix) string {
	family := "ip"
	if self.Addr().Is6() {
		family = "ip6"
	}
	return fmt.Sprintf(`# Written by quorate; changes are overwritten.
table %[1]s quorate-masq
delete table %[1]s quorate-masq
table %[1]s quorate-masq {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    %[1]s saddr %[2]s %[1]s daddr != %[3]s oifname != "cni0" masquerade
  }
}
`, family, self.Masked(), ctx.Spec.Network.PodCIDR)
}

// bridgeConflist is the CNI configuration: the plugins bridge, host-local and
// portmap (cni.dev/plugins/current).
func bridgeConflist(self netip.Prefix) ([]byte, error) {
	type m = map[string]any
	dst := "0.0.0.0/0"
	if self.Addr().Is6() {
		dst = "::/0"
	}
	return json.MarshalIndent(m{
		"cniVersion": "1.0.0",
		"name":       "quorate",
		"plugins": []m{
			{
				"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipMasq": false,
				"ipam": m{"type": "host-local", "ranges": [][]m{{{"subnet": self.Masked().String()}}}, "routes": []m{{"dst": dst}}},
			},
			{"type": "portmap", "capabilities": m{"portMappings": true}},
		},
	}, "", "  ")
}
