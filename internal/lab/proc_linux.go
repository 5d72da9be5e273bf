package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is a process that a reused pid cannot be mistaken for.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // in clock ticks since the machine's boot
}

// findProcess is the process that has pid now.
func findProcess(pid int) (process, error) {
	_, start, err := statOf(pid)
	return process{pid, start}, err
}

// alive says whether it still runs; what waits to be reaped does not.
func (p process) alive() bool {
	if p.PID == 0 {
		return false
	}
	state, start, err := statOf(p.PID)
	return err == nil && start == p.Start && state != 'Z' && state != 'X'
}

func (p process) signal(sig unix.Signal) {
	if p.alive() {
		unix.Kill(p.PID, sig)
	}
}

func statOf(pid int) (state byte, start uint64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	// pid (name) state ppid …: the name may hold anything, so count from its end.
	f := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(f) < 20 {
		return 0, 0, fmt.Errorf("read /proc/%d/stat: %d fields", pid, len(f))
	}
	start, err = strconv.ParseUint(string(f[19]), 10, 64)
	return f[0][0], start, err
}

// container finds systemd-nspawn, and the init it runs, below the process that
// starts it anew at reboots.
func (p process) container() (nspawn, init int, err error) {
	for _, nspawn := range children(p.PID) {
		for _, init := range children(nspawn) {
			if isInit(init) {
				return nspawn, init, nil
			}
		}
	}
	return 0, 0, fmt.Errorf("process %d runs no container just now", p.PID)
}

func children(pid int) []int {
	var all []int
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for _, f := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(f); err == nil {
				all = append(all, child)
			}
		}
	}
	return all
}

// isInit says whether a process is number 1 of a pid namespace of its own.
func isInit(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			f := strings.Fields(rest)
			return len(f) > 1 && f[len(f)-1] == "1"
		}
	}
	return false
}

// waitUntil polls until ok, and says whether it came to that in time.
func waitUntil(limit time.Duration, ok func() bool) bool {
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		if ok() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// mountsBelow are the mount points at and below a folder, innermost first.
func mountsBelow(dir string) ([]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var points []string
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		point := unescapeMount(f[4])
		if point == dir || strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	slices.Reverse(points)
	return points, nil
}

func unescapeMount(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// unmountBelow unmounts all of them. What is still busy after a moment (dying
// processes) is detached, so that it goes with its last user.
func unmountBelow(dir string) error {
	points, err := mountsBelow(dir)
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	for _, point := range points {
		if waitUntil(time.Second, func() bool { return unix.Unmount(point, 0) != unix.EBUSY }) {
			continue
		}
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	if points, err = mountsBelow(dir); err == nil && len(points) > 0 {
		err = fmt.Errorf("unmount %s: still mounted", points[0])
	}
	return err
}

// removeTree deletes a folder, never through a mount.
func removeTree(dir string) error {
	if err := unmountBelow(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}
