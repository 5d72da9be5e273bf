// Package adopt looks at a running cluster that quorate did not make, and writes
// the cluster file and a report of it. It is strictly read-only: it runs one
// script a host that writes nothing, and reads from one API server and from etcd's
// member list. What it cannot understand it names, with what that means for later
// changes; it never guesses. It plans nothing and changes nothing; what `plan`
// makes of the file is package goal's business.
package adopt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/spec"
)

// Options say where to look.
type Options struct {
	// Seeds are the hosts that a person has named: one control plane suffices.
	Seeds []Seed
	// Connect reaches a host that others name, at an address.
	Connect func(name, address string) host.Host
	// SSH is how hosts are reached, as it goes into the file.
	SSH spec.SSH
	// Name is the cluster's name; "": the one that it has.
	Name string
	Now  time.Time
}

// Seed is a host that a person has named.
type Seed struct {
	Host    host.Host
	Address string    // where SSH finds it
	SSH     *spec.SSH // what is its own of that
}

// Machine is a host of the cluster with what was seen on it.
type Machine struct {
	Name     string // of the node, or of etcd's member
	Address  string // where SSH finds it
	Internal string // what the others call it
	SSH      *spec.SSH
	Seen     Seen
	Node     *Node // nil: it is none
	Member   bool  // of etcd
}

// ControlPlane says that an API server runs there, or is to.
func (m Machine) ControlPlane() bool {
	_, runs := m.Seen.Process("kube-apiserver")
	_, manifest := m.Seen.Manifest("kube-apiserver")
	return runs || manifest || m.Node != nil && m.Node.ControlPlane
}

// Found is all that was seen of a cluster.
type Found struct {
	Machines []Machine
	API      API
	Members  []Member
	EtcdErr  error // why etcd's list could not be had
	Options  Options
}

// Look finds a cluster from the hosts that a person has named.
func Look(ctx context.Context, o Options) (Found, error) {
	f := Found{Options: o}
	hosts := make([]host.Host, len(o.Seeds))
	for i, s := range o.Seeds {
		hosts[i] = s.Host
	}
	seen := lookAll(ctx, hosts)
	first := slices.IndexFunc(seen, func(s Seen) bool { _, runs := s.Process("kube-apiserver"); return runs })
	if first < 0 {
		return f, nobody(o.Seeds, seen)
	}
	if cluster := seen[first].Marker; cluster != "" {
		return f, fmt.Errorf("%s belongs to quorate's cluster %q already; its file is kept in the cluster: kubectl -n kube-system get "+
			"configmap quorate-cluster -o yaml", o.Seeds[first].Address, cluster)
	}
	if p, _ := seen[first].Process("kube-apiserver"); p.Unit != "" && !p.Contained {
		return f, UnitsError{Host: o.Seeds[first].Address, Unit: p.Unit}
	}
	var err error
	if f.API, err = askAPI(ctx, hosts[first], seen[first]); err != nil {
		return f, fmt.Errorf("ask the API server of %s: %w; next: see that admin.conf lies on this host and is valid (kubeadm certs "+
			"check-expiration), or name another control plane with --host", o.Seeds[first].Address, err)
	}
	f.Members, f.EtcdErr = askEtcd(ctx, hosts[first], seen[first])
	f.place(seen)
	f.lookFurther(ctx)
	return f, nil
}

// UnitsError is a control plane of systemd units that people have written: package
// units reads those.
type UnitsError struct{ Host, Unit string }

func (e UnitsError) Error() string {
	return fmt.Sprintf("the API server of %s runs as the systemd unit %s", e.Host, e.Unit)
}

// nobody is why no control plane was found.
func nobody(seeds []Seed, seen []Seen) error {
	var whys []string
	for i, s := range seen {
		if s.Err != nil {
			whys = append(whys, fmt.Sprintf("%s: %s", seeds[i].Address, host.Reason(s.Err, seeds[i].Host.Name())))
		} else {
			whys = append(whys, fmt.Sprintf("%s (%s): no kube-apiserver runs there", seeds[i].Address, s.Hostname))
		}
	}
	return errors.New("no control plane among the hosts that were named: " + strings.Join(whys, "; ") +
		"; next: give a control plane with --host")
}

// place makes machines of nodes and members, with the hosts that were seen.
func (f *Found) place(seen []Seen) {
	for _, n := range f.API.Nodes {
		f.Machines = append(f.Machines, Machine{Name: n.Name, Address: n.Address, Internal: n.Address, Node: &n})
	}
	for _, m := range f.Members {
		i := slices.IndexFunc(f.Machines, func(x Machine) bool { return m.Address != "" && x.Internal == m.Address || x.Name == m.Name })
		if i < 0 {
			f.Machines = append(f.Machines, Machine{Name: m.Name, Address: m.Address, Internal: m.Address})
			i = len(f.Machines) - 1
		}
		f.Machines[i].Member = true
	}
	for i, s := range seen {
		seed := f.Options.Seeds[i]
		at := slices.IndexFunc(f.Machines, func(m Machine) bool {
			return s.Err == nil && (m.Name == s.Hostname || s.has(m.Internal)) || m.Internal == seed.Address
		})
		if at < 0 {
			f.Machines = append(f.Machines, Machine{Name: nameOf(s, seed), Address: seed.Address, Internal: seed.Address})
			at = len(f.Machines) - 1
		}
		m := &f.Machines[at]
		m.Address, m.SSH, m.Seen = seed.Address, seed.SSH, s
	}
}

func nameOf(s Seen, seed Seed) string {
	if s.Hostname != "" {
		return s.Hostname
	}
	return seed.Host.Name()
}

// lookFurther looks at the hosts that only others have named.
func (f *Found) lookFurther(ctx context.Context) {
	var hosts []host.Host
	var at []int
	for i, m := range f.Machines {
		if m.Seen.Err != nil || m.Seen.Hostname != "" {
			continue
		}
		if net.ParseIP(m.Internal) == nil || f.Options.Connect == nil {
			f.Machines[i].Seen.Err = fmt.Errorf("nobody says at which address it is reached")
			continue
		}
		hosts, at = append(hosts, f.Options.Connect(m.Name, m.Internal)), append(at, i)
	}
	for i, s := range lookAll(ctx, hosts) {
		f.Machines[at[i]].Seen = s
	}
	for _, h := range hosts {
		_ = h.Close() // nothing was written
	}
}

// reached are the machines that were seen.
func (f Found) reached() (out []Machine) {
	for _, m := range f.Machines {
		if m.Seen.Err == nil {
			out = append(out, m)
		}
	}
	return out
}

// controlPlanes are those that were seen.
func (f Found) controlPlanes() (out []Machine) {
	for _, m := range f.reached() {
		if m.ControlPlane() {
			out = append(out, m)
		}
	}
	return out
}
