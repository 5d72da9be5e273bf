package lab

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// unreachableMetric is worse than that of any real route: it decides only when
// the bridge is down or gone, and then no packet for a host leaves the machine.
const unreachableMetric = "4294967290"

// plugNetwork makes the lab's bridge, its safety route and its packet filter.
func (l *Lab) plugNetwork(ctx context.Context) error {
	bridge := bridgeName(l.Subnet)
	// A bridge without an address of its own takes on that of a port, and the
	// hosts would have to learn it anew with each port that comes or goes.
	mac := fmt.Sprintf("02:71:6c:61:62:%02x", l.Subnet)
	for _, args := range [][]string{
		{"route", "add", "unreachable", l.Prefix().String(), "metric", unreachableMetric},
		{"link", "add", bridge, "address", mac, "type", "bridge", "mcast_snooping", "0"},
		{"address", "add", l.Gateway().String() + "/24", "dev", bridge},
		{"link", "set", bridge, "up"},
	} {
		if _, err := run(ctx, nil, "ip", args...); err != nil {
			return fmt.Errorf("make bridge %s: %w", bridge, err)
		}
	}
	if _, err := run(ctx, strings.NewReader(l.packetFilter()), "nft", "-f", "-"); err != nil {
		return fmt.Errorf("make packet filter of %s: %w", bridge, err)
	}
	return nil
}

// packetFilter keeps the lab to itself: nothing is forwarded in or out even
// when the machine forwards, of the machine only the lab's gateway answers, and
// no name can be looked up through it. What is cut off is dropped on the
// bridge, so that it looks like a dead wire and not like a link that went down.
func (l *Lab) packetFilter() string {
	return fmt.Sprintf(`
table inet %[1]s {
	chain forward {
		type filter hook forward priority -300; policy accept;
		iifname %[2]q oifname != %[2]q drop
		oifname %[2]q iifname != %[2]q drop
	}
	chain input {
		type filter hook input priority -300; policy accept;
		iifname %[2]q meta nfproto ipv6 drop
		iifname %[2]q ip daddr != %[3]s drop
		iifname %[2]q udp dport 53 reject
		iifname %[2]q tcp dport 53 reject with tcp reset
	}
}
table bridge %[1]s {
	set cut { type ifname; }
	set cutports { type ifname . inet_service; }
	chain from {
		type filter hook prerouting priority -300; policy accept;
		iifname @cut drop
		iifname . tcp dport @cutports drop
		iifname . tcp sport @cutports drop
	}
	chain to {
		type filter hook postrouting priority 300; policy accept;
		oifname @cut drop
		oifname . tcp dport @cutports drop
		oifname . tcp sport @cutports drop
	}
}
`, tableName(l.Name), bridgeName(l.Subnet), l.Gateway())
}

// unplugNetwork removes all of it; what is not there is fine.
func unplugNetwork(ctx context.Context, name string, subnet int) error {
	var errs []error
	errs = append(errs, deleteTables(ctx, tableName(name)))
	errs = append(errs, deleteLink(ctx, bridgeName(subnet)))
	run(ctx, nil, "ip", "route", "del", "unreachable", subnetPrefix(subnet).String(), "metric", unreachableMetric)
	return errors.Join(errs...)
}

func deleteLink(ctx context.Context, link string) error {
	if _, err := net.InterfaceByName(link); err != nil {
		return nil
	}
	_, err := run(ctx, nil, "ip", "link", "del", link)
	if _, gone := net.InterfaceByName(link); gone != nil {
		return nil // it went away by itself meanwhile
	}
	return err
}

func deleteTables(ctx context.Context, name string) error {
	tables, err := labTables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if t.Name == name {
			if _, err := run(ctx, nil, "nft", "delete", "table", t.Family, t.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

type nftTable struct{ Family, Name string }

// labTables are the nftables tables of all labs.
func labTables(ctx context.Context) ([]nftTable, error) {
	out, err := run(ctx, nil, "nft", "-j", "list", "tables")
	if err != nil {
		return nil, err
	}
	var list struct {
		Nftables []struct{ Table *nftTable }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return nil, fmt.Errorf("read the list of nftables tables: %w", err)
	}
	var tables []nftTable
	for _, item := range list.Nftables {
		if item.Table != nil && strings.HasPrefix(item.Table.Name, tablePrefix) {
			tables = append(tables, *item.Table)
		}
	}
	return tables, nil
}

// takenPrefixes are the networks this machine has addresses in or routes to.
// Routes wider than /16 (a whole 10.0.0.0/8 through a VPN) do not count: a
// lab's /24 takes its share out of them for as long as it lives.
func takenPrefixes() ([]netip.Prefix, error) {
	var taken []netip.Prefix
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			taken = append(taken, p.Masked())
		}
	}
	f, err := os.Open("/proc/net/route")
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		cols := strings.Fields(lines.Text()) // Iface Destination Gateway Flags RefCnt Use Metric Mask …
		if len(cols) < 8 {
			continue
		}
		dest, err1 := hex.DecodeString(cols[1])
		mask, err2 := hex.DecodeString(cols[7])
		if err1 != nil || err2 != nil || len(dest) != 4 || len(mask) != 4 {
			continue // the heading
		}
		// Both are printed as little-endian numbers.
		slices.Reverse(dest)
		if length := bits.OnesCount32(binary.LittleEndian.Uint32(mask)); length >= 16 {
			taken = append(taken, netip.PrefixFrom(netip.AddrFrom4([4]byte(dest)), length))
		}
	}
	return taken, nil
}
