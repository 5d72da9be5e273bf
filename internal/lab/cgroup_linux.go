package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Each host has a control group of its own in every hierarchy; it is the root
// of what the host sees. Without that all hosts would share one /kubepods and
// their kubelets would remove each other's pods.

// hierarchy is one mounted control group file system.
type hierarchy struct {
	path string
	v2   bool
}

func hierarchies() ([]hierarchy, error) {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var all []hierarchy
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > 2 && (f[2] == "cgroup" || f[2] == "cgroup2") && strings.HasPrefix(f[1], "/sys/fs/cgroup") {
			all = append(all, hierarchy{unescapeMount(f[1]), f[2] == "cgroup2"})
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no control groups are mounted below /sys/fs/cgroup")
	}
	return all, nil
}

// unified says whether this machine has cgroup v2 and nothing else.
func unified(all []hierarchy) bool { return len(all) == 1 && all[0].v2 }

// underSystemd says whether systemd runs this machine, and so its cgroup tree.
func underSystemd() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil
}

// enterCgroups makes the host's control groups and returns the command prefix
// that starts a program inside them.
//
// On cgroup v2 under systemd that is a scope with its tree delegated, which
// systemd-run makes; elsewhere a shell joins each group before it becomes the
// program. The v2 ways could not be tried where this was written.
func enterCgroups(name string) ([]string, error) {
	all, err := hierarchies()
	if err != nil {
		return nil, fmt.Errorf("find control groups: %w", err)
	}
	if unified(all) && underSystemd() {
		return []string{"systemd-run", "--scope", "--quiet", "--collect", "--unit=" + name, "--property=Delegate=yes", "--"}, nil
	}
	prefix := []string{"sh", "-ec", `while [ "$1" != -- ]; do echo $$ > "$1"; shift; done; shift; exec "$@"`, "sh"}
	for _, h := range all {
		dir := filepath.Join(h.path, name)
		if err := makeCgroup(h, dir); err != nil {
			return nil, fmt.Errorf("make control group: %w", err)
		}
		prefix = append(prefix, filepath.Join(dir, "cgroup.procs"))
	}
	return append(prefix, "--"), nil
}

func makeCgroup(h hierarchy, dir string) error {
	if h.v2 {
		// Hand all controllers down; on a machine of several hierarchies v2 has none.
		if names, err := os.ReadFile(filepath.Join(h.path, "cgroup.controllers")); err == nil {
			for _, c := range strings.Fields(string(names)) {
				os.WriteFile(filepath.Join(h.path, "cgroup.subtree_control"), []byte("+"+c), 0)
			}
		}
		return mkdirIfAbsent(dir)
	}
	if err := mkdirIfAbsent(dir); err != nil {
		return err
	}
	// A cpuset group takes no process before it has cpus and memory nodes.
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(h.path, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), value, 0); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.clone_children"), []byte("1"), 0); err != nil {
			return err
		}
	}
	return nil
}

func mkdirIfAbsent(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// cgroupDirs are the folders of control groups whose name satisfies want, at
// the places where labs make them.
func cgroupDirs(want func(name string) bool) []string {
	all, err := hierarchies()
	if err != nil {
		return nil
	}
	var dirs []string
	for _, h := range all {
		for _, parent := range []string{h.path, filepath.Join(h.path, "system.slice")} {
			entries, _ := os.ReadDir(parent)
			for _, e := range entries {
				if e.IsDir() && want(e.Name()) {
					dirs = append(dirs, filepath.Join(parent, e.Name()))
				}
			}
		}
	}
	return dirs
}

// hostCgroups are the control groups of one host.
func hostCgroups(name string) []string {
	return cgroupDirs(func(n string) bool { return n == name || n == name+".scope" })
}

// killCgroups kills every process in the groups and removes the groups. A host
// that boots into groups of its former life would wait for pods long gone.
func killCgroups(dirs []string) error {
	var left []int
	gone := waitUntil(10*time.Second, func() bool {
		left = processesIn(dirs)
		for _, pid := range left {
			unix.Kill(pid, unix.SIGKILL)
		}
		return len(left) == 0
	})
	if !gone {
		return fmt.Errorf("kill the processes of %s: %v are still there", dirs[0], left)
	}
	for _, dir := range dirs {
		var err error
		if !waitUntil(5*time.Second, func() bool { err = removeCgroup(dir); return err == nil }) {
			return fmt.Errorf("remove control group: %w", err)
		}
	}
	return nil
}

func processesIn(dirs []string) []int {
	var pids []int
	for _, dir := range dirs {
		filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.Name() != "cgroup.procs" {
				return nil // groups come and go while we look
			}
			text, _ := os.ReadFile(path)
			for _, f := range strings.Fields(string(text)) {
				if pid, err := strconv.Atoi(f); err == nil && pid > 1 && pid != os.Getpid() && !slices.Contains(pids, pid) {
					pids = append(pids, pid)
				}
			}
			return nil
		})
	}
	return pids
}

// removeCgroup removes an empty group and the groups below it.
func removeCgroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeCgroup(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := unix.Rmdir(dir); err != nil && err != unix.ENOENT {
		return fmt.Errorf("rmdir %s: %w", dir, err)
	}
	return nil
}
