package main

import (
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// readyFD names, in the environment, the descriptor on which a new process
// tells the old one that it accepts connections.
const readyFD = "QUORATE_LB_READY_FD"

// upgradeTimeout is how long a new process may take until it accepts.
const upgradeTimeout = 30 * time.Second

// upgrade starts the program file anew, with the same arguments, and returns
// whether the new process accepts connections. This one is then to drain.
func (d *daemon) upgrade() bool {
	program, err := exec.LookPath(os.Args[0])
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err != nil {
		d.log.Error("the program file was not found, so this process goes on", "error", err)
		return false
	}
	r, w, err := os.Pipe()
	if err != nil {
		d.log.Error("no pipe for the new process, so this one goes on", "error", err)
		return false
	}
	defer r.Close()
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdout, os.Stderr, []*os.File{w}
	for _, e := range os.Environ() {
		// systemd's watchdog follows the main process, so its pid must go.
		if !strings.HasPrefix(e, readyFD+"=") && !strings.HasPrefix(e, "WATCHDOG_PID=") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, readyFD+"=3")
	err = cmd.Start()
	w.Close()
	if err != nil {
		d.log.Error("the new process did not start, so this one goes on", "error", err)
		return false
	}
	go func() { _ = cmd.Wait() }()
	_ = r.SetReadDeadline(time.Now().Add(upgradeTimeout))
	if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
		d.log.Error("the new process did not get as far as accepting connections, so this one goes on", "pid", cmd.Process.Pid, "error", err)
		_ = cmd.Process.Kill()
		return false
	}
	d.log.Info("a new process has taken over", "pid", cmd.Process.Pid)
	d.replaced = true
	return true
}

// tellParent tells the process that is replaced, if there is one.
func tellParent(log *slog.Logger) {
	fd, err := strconv.Atoi(os.Getenv(readyFD))
	if err != nil {
		return
	}
	os.Unsetenv(readyFD)
	pipe := os.NewFile(uintptr(fd), "ready")
	if _, err := pipe.Write([]byte{1}); err != nil {
		log.Warn("the old process could not be told", "error", err)
	}
	pipe.Close()
}

func inode(info fs.FileInfo) uint64 {
	if s, is := info.Sys().(*syscall.Stat_t); is {
		return s.Ino
	}
	return 0
}
