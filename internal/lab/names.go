package lab

import (
	"fmt"
	"net/netip"
	"regexp"
)

// maxOfARole is how many hosts of one role fit into a lab's address plan.
const maxOfARole = 9

var nameForm = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$`)

// checkName refuses names that would not do as a file, a cluster and an
// nftables table.
func checkName(name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("lab name %q: use at most 30 lower-case letters, digits and dashes, a letter first", name)
	}
	return nil
}

// planHosts gives every host its name, role and address: .11 and up for control
// planes, .21 workers, .31 etcd, .41 load balancers.
func planHosts(o Options, subnet int) ([]Host, error) {
	var hosts []Host
	for _, group := range []struct {
		count, first       int
		prefix, role, flag string
	}{
		{o.ControlPlanes, 11, "cp", RoleControlPlane, "control-planes"},
		{o.Workers, 21, "w", RoleWorker, "workers"},
		{o.Etcd, 31, "etcd", RoleEtcd, "etcd"},
		{o.LoadBalancers, 41, "lb", RoleLoadBalancer, "load-balancers"},
	} {
		if group.count < 0 || group.count > maxOfARole {
			return nil, fmt.Errorf("lab %s: %d %s: a lab takes 0 to %d", o.Name, group.count, group.flag, maxOfARole)
		}
		for i := range group.count {
			hosts = append(hosts, Host{
				Name:    fmt.Sprintf("%s%d", group.prefix, i+1),
				Role:    group.role,
				Address: addressIn(subnet, byte(group.first+i)),
			})
		}
	}
	if len(hosts) == 0 {
		return nil, fmt.Errorf("lab %s has no hosts: ask for at least one control plane", o.Name)
	}
	return hosts, nil
}

func addressIn(subnet int, last byte) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 77, byte(subnet), last})
}

func subnetPrefix(subnet int) netip.Prefix {
	return netip.PrefixFrom(addressIn(subnet, 0), 24)
}

// chooseSubnet picks the first N of 10.77.N.0/24 that no lab has and that
// overlaps none of the machine's own networks.
func chooseSubnet(labs map[int]bool, taken []netip.Prefix) (int, error) {
next:
	for n := 1; n < 255; n++ {
		if labs[n] {
			continue
		}
		for _, p := range taken {
			if p.Overlaps(subnetPrefix(n)) {
				continue next
			}
		}
		return n, nil
	}
	return 0, fmt.Errorf("choose subnet: all of 10.77.1.0/24 to 10.77.254.0/24 are in use; remove a lab with `quorate lab down NAME`")
}

// Names on the machine. Interface names hold 15 characters at most:
// vb-q254-etcd9 has 13.

func bridgeName(subnet int) string               { return fmt.Sprintf("qlab%d", subnet) }
func machineName(subnet int, host string) string { return fmt.Sprintf("q%d-%s", subnet, host) }
func linkName(subnet int, host string) string    { return "vb-" + machineName(subnet, host) }
func cgroupName(subnet int, host string) string  { return tablePrefix + machineName(subnet, host) }
func tableName(lab string) string                { return tablePrefix + lab }

// tablePrefix begins the names of a lab's nftables tables and control groups.
const tablePrefix = "quorate-lab-"

var (
	bridgeForm = regexp.MustCompile(`^qlab(\d{1,3})$`)
	linkForm   = regexp.MustCompile(`^vb-q(\d{1,3})-[a-z]+\d$`)
	cgroupForm = regexp.MustCompile(`^` + tablePrefix + `q(\d{1,3})-[a-z]+\d(\.scope)?$`)
)
