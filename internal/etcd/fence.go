package etcd

import (
	"net/netip"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/layout"
)

// FenceTable is the nftables table of the fence.
const FenceTable = "inet quorate_etcd"

// PutFence is a shell script that makes its standard input the fence at a path,
// in force at once; RaiseFence puts in force what lies there, DropFence ends it.
func PutFence(path string) string {
	return `f=` + path + `; mkdir -p "${f%/*}"; rm -f "$f.new"; cat >"$f.new"; nft -c -f "$f.new"; sync "$f.new"; mv -T "$f.new" "$f"; sync "${f%/*}"; nft -f "$f"
`
}

// RaiseFence is a shell command that puts in force the fence at a path.
func RaiseFence(path string) string { return `test ! -e ` + path + ` || nft -f ` + path }

// DropFence is a shell script that ends a host's fence, and forgets that it had
// to do without.
func DropFence(at layout.Own) string {
	return `rm -f ` + at.Fence + ` ` + at.Unfenced + `; nft delete table ` + FenceTable + ` 2>/dev/null || true
`
}

// Fence is an nftables script that keeps some addresses out of a host's etcd:
// hosts that a member has nothing to do with. After a recovery those may hold
// data of the old cluster, and certificates that are good for the new one; an
// API server that asks both, on either side, would ruin both. What is no address
// is left out.
func Fence(at layout.Etcd, addresses []string) string {
	addresses = slices.Clone(addresses)
	slices.Sort(addresses)
	var b, in, out strings.Builder
	b.WriteString("# Written by quorate: hosts that may hold data of a superseded etcd cluster.\n")
	// Named before it is deleted: deleting what is not there is an error.
	b.WriteString("table " + FenceTable + "\ndelete table " + FenceTable + "\ntable " + FenceTable + " {\n")
	ports := " tcp dport { " + at.ClientPort + ", " + at.PeerPort + " } reject with tcp reset\n"
	for _, a := range slices.Compact(addresses) {
		ip, err := netip.ParseAddr(a)
		if err != nil {
			continue
		}
		family := "ip6"
		if ip.Unmap().Is4() {
			family, ip = "ip", ip.Unmap()
		}
		in.WriteString("\t\t" + family + " saddr " + ip.String() + ports)
		out.WriteString("\t\t" + family + " daddr " + ip.String() + ports)
	}
	for _, c := range []struct{ hook, rules string }{{"input", in.String()}, {"output", out.String()}} {
		b.WriteString("\tchain " + c.hook + " {\n\t\ttype filter hook " + c.hook + " priority -10;\n" + c.rules + "\t}\n")
	}
	b.WriteString("}\n")
	return b.String()
}
