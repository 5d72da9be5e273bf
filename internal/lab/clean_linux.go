package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Clean removes what killed commands and reboots left of labs, and killed tests
// of networks, and says what. Labs that live, and labs another command is at work
// on, stay.
func Clean(ctx context.Context) (removed []string, err error) {
	if err := checkRoot(); err != nil {
		return nil, err
	}
	labs, broken, err := readLabs()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, l := range labs {
		broken = append(broken, l.Name)
	}
	for _, name := range broken {
		gone, err := cleanLab(ctx, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("lab %s: %w", name, err))
		}
		if gone {
			removed = append(removed, "lab "+name)
		}
	}
	orphans, err := removeOrphans(ctx)
	networks, failed := removeDeadNetworks(ctx)
	return slices.Concat(removed, orphans, networks), errors.Join(append(errs, err, failed)...)
}

// cleanLab removes one lab if it is dead.
func cleanLab(ctx context.Context, name string) (bool, error) {
	held, err := labLock(ctx, name, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, errBusy) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer held.releaseLab(name)
	if l, err := readLab(name); err == nil && !l.dead() {
		return false, nil
	}
	err = remove(ctx, name)
	return err == nil, err
}

// removeOrphans removes every trace that no lab.json speaks for. A lab writes
// that file before it makes anything, under the lock that is held here.
func removeOrphans(ctx context.Context) ([]string, error) {
	if _, err := os.Stat(stateRoot); err != nil && !anyTrace(ctx) {
		return nil, nil
	}
	all, err := allLabsLock(ctx)
	if err != nil {
		return nil, err
	}
	removed, err := removeUnowned(ctx)
	return removed, errors.Join(err, releaseAfterLast(all))
}

func removeUnowned(ctx context.Context) (removed []string, err error) {
	labs, _, err := readLabs()
	if err != nil {
		return nil, err
	}
	names, subnets := map[string]bool{}, map[int]bool{}
	for _, l := range labs {
		names[l.Name], subnets[l.Subnet] = true, true
	}
	var errs []error
	done := func(what string, err error) {
		if err != nil {
			errs = append(errs, err)
			return
		}
		removed = append(removed, what)
	}
	for _, dir := range orphanCgroups(subnets) {
		done("control group "+dir, killCgroups([]string{dir}))
	}
	for _, link := range orphanLinks(subnets) {
		done("link "+link, deleteLink(ctx, link))
	}
	tables, err := labTables(ctx)
	if err != nil {
		errs = append(errs, err)
	}
	for _, t := range tables {
		if !names[strings.TrimPrefix(t.Name, tablePrefix)] {
			_, err := run(ctx, nil, "nft", "delete", "table", t.Family, t.Name)
			done("nftables table "+t.Family+" "+t.Name, err)
		}
	}
	for _, n := range orphanRoutes(subnets) {
		_, err := run(ctx, nil, "ip", "route", "del", "unreachable", subnetPrefix(n).String(), "metric", unreachableMetric)
		done("route to "+subnetPrefix(n).String(), err)
	}
	machines, _ := filepath.Glob("/run/systemd/nspawn/*/q*-*")
	for _, dir := range machines {
		if n, ok := subnetIn(linkForm, "vb-"+filepath.Base(dir)); ok && !subnets[n] {
			sweepNspawn(filepath.Base(dir))
		}
	}
	mounts, err := mountsBelow(stateRoot)
	if err != nil {
		errs = append(errs, err)
	}
	for _, point := range mounts {
		name, _, _ := strings.Cut(strings.TrimPrefix(point, stateRoot+"/"), "/")
		if !names[name] {
			done("mount "+point, unmountBelow(point))
		}
	}
	return removed, errors.Join(errs...)
}

func anyTrace(ctx context.Context) bool {
	none := map[int]bool{}
	tables, err := labTables(ctx)
	mounts, _ := mountsBelow(stateRoot)
	return err != nil || len(tables)+len(mounts)+len(orphanLinks(none))+len(orphanCgroups(none))+len(orphanRoutes(none)) > 0
}

func orphanLinks(subnets map[int]bool) (links []string) {
	interfaces, _ := net.Interfaces()
	for _, i := range interfaces {
		for _, form := range []matcher{bridgeForm, linkForm} {
			if n, ok := subnetIn(form, i.Name); ok && !subnets[n] {
				links = append(links, i.Name)
			}
		}
	}
	return links
}

func orphanCgroups(subnets map[int]bool) []string {
	return cgroupDirs(func(name string) bool {
		n, ok := subnetIn(cgroupForm, name)
		return ok && !subnets[n]
	})
}

type matcher interface{ FindStringSubmatch(string) []string }

func subnetIn(form matcher, name string) (int, bool) {
	m := form.FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return n, err == nil
}

// orphanRoutes are the subnets whose safety route nobody owns.
func orphanRoutes(subnets map[int]bool) (orphans []int) {
	text, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line) // Iface Destination Gateway Flags RefCnt Use Metric …
		if len(f) < 8 || f[0] != "*" || f[6] != unreachableMetric {
			continue
		}
		var n int // the destination, 10.77.N.0, is a little-endian number
		if _, err := fmt.Sscanf(f[1], "00%02X4D0A", &n); err == nil && !subnets[n] {
			orphans = append(orphans, n)
		}
	}
	return orphans
}
