package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// namedNetworks is where ip(8) keeps the network namespaces that have names.
const namedNetworks = "/run/netns"

// VIPNetwork begins the names of the namespaces that are the n-th network of
// package viptest in the process pid.
func VIPNetwork(pid int, n int64) string { return fmt.Sprintf("qvip%d-%d-", pid, n) }

var vipNetworkForm = regexp.MustCompile(`^qvip(\d+)-\d+-(br|\d+)$`)

// removeDeadNetworks removes the networks of tests and benchmarks of virtual
// addresses that were killed, and ends the routers that still run in them.
func removeDeadNetworks(ctx context.Context) (removed []string, err error) {
	entries, err := os.ReadDir(namedNetworks)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list network namespaces: %w", err)
	}
	var errs []error
	for _, e := range entries {
		m := vipNetworkForm.FindStringSubmatch(e.Name())
		if m == nil || !gone(m[1]) {
			continue
		}
		inside, err := run(ctx, nil, "ip", "netns", "pids", e.Name())
		for _, pid := range strings.Fields(inside) {
			if n, err := strconv.Atoi(pid); err == nil {
				unix.Kill(n, unix.SIGKILL)
			}
		}
		if err == nil {
			_, err = run(ctx, nil, "ip", "netns", "del", e.Name())
		}
		if err == nil {
			removed = append(removed, "network namespace "+e.Name())
		} else if _, away := os.Lstat(namedNetworks + "/" + e.Name()); away == nil { // else another clean was faster
			errs = append(errs, err)
		}
	}
	return removed, errors.Join(errs...)
}

// gone says that surely no process has a pid.
func gone(pid string) bool {
	n, err := strconv.Atoi(pid)
	return err == nil && n > 0 && errors.Is(unix.Kill(n, 0), unix.ESRCH)
}
