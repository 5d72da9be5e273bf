package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"quorate.dev/quorate/internal/balancer/config"
)

// readyFD names, in the environment, the descriptor on which a new process
// tells the old one that it accepts connections. The old one then stands still
// and answers with a line: the virtual addresses that it has here, as JSON. The
// new one takes them over and says so by another byte.
const readyFD = "QUORATE_LB_READY_FD"

const (
	// upgradeTimeout is how long a new process may take until it accepts.
	upgradeTimeout = 30 * time.Second
	// handOverTimeout is how long virtual addresses may be between two processes.
	handOverTimeout = 3 * time.Second
)

// upgrade starts the program file anew, with the same arguments, and returns
// whether the new process accepts connections. This one is then to drain.
func (d *daemon) upgrade() bool {
	cmd, conn, err := d.successor()
	if err != nil {
		d.log.Error("the new process did not start, so this one goes on", "error", err)
		return false
	}
	defer conn.Close()
	go func() { _ = cmd.Wait() }()
	_ = conn.SetDeadline(time.Now().Add(upgradeTimeout))
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		d.log.Error("the new process did not get as far as accepting connections, so this one goes on", "pid", cmd.Process.Pid, "error", err)
		_ = cmd.Process.Kill()
		return false
	}
	if err := d.handOver(conn); err != nil {
		d.log.Error("the new process did not take the virtual addresses over, so this one goes on", "pid", cmd.Process.Pid, "error", err)
		_ = cmd.Process.Kill()
		d.vips.Resume()
		return false
	}
	d.log.Info("a new process has taken over", "pid", cmd.Process.Pid)
	d.replaced = true
	return true
}

// successor starts the new process, and returns the connection to it.
func (d *daemon) successor() (*exec.Cmd, net.Conn, error) {
	program, err := exec.LookPath(os.Args[0])
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("find the program file: %w", err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("a connection for the new process: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "new process"), os.NewFile(uintptr(pair[1]), "old process")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, nil, fmt.Errorf("a connection for the new process: %w", err)
	}
	cmd := exec.Command(program, os.Args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdout, os.Stderr, []*os.File{theirs}
	for _, e := range os.Environ() {
		// systemd's watchdog follows the main process, so its pid must go.
		if !strings.HasPrefix(e, readyFD+"=") && !strings.HasPrefix(e, "WATCHDOG_PID=") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, readyFD+"=3")
	if err := cmd.Start(); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return cmd, conn, nil
}

// handOver gives the virtual addresses to the new process, without a moment in
// which nobody has them or two fight for them.
func (d *daemon) handOver(conn net.Conn) error {
	held := d.vips.Pause()
	text, err := json.Marshal(held)
	if err != nil {
		return err
	}
	_ = conn.SetDeadline(time.Now().Add(handOverTimeout))
	_, err = conn.Write(append(text, '\n'))
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, 1))
	}
	if err != nil && len(held) > 0 {
		return err // a program that knows no virtual addresses says nothing, and need not
	}
	d.vips.LetGo()
	return nil
}

// predecessor is the process that is replaced. The zero value is none.
type predecessor struct{ conn net.Conn }

// tellParent tells the process that is replaced, if there is one, that this one
// accepts connections, and returns the virtual addresses which that one has here.
func tellParent(log *slog.Logger) (p predecessor, held []config.VIP) {
	fd, err := strconv.Atoi(os.Getenv(readyFD))
	if err != nil {
		return p, nil
	}
	os.Unsetenv(readyFD)
	file := os.NewFile(uintptr(fd), "ready")
	defer file.Close()
	if _, err := file.Write([]byte{1}); err != nil {
		log.Warn("the old process could not be told", "error", err)
		return p, nil
	}
	if p.conn, err = net.FileConn(file); err != nil {
		return predecessor{}, nil // a pipe, of a version that has no virtual addresses
	}
	_ = p.conn.SetDeadline(time.Now().Add(handOverTimeout))
	text, err := bufio.NewReader(p.conn).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(text, &held)
	}
	if err != nil {
		log.Warn("the old process did not say which virtual addresses it has", "error", err)
	}
	return p, held
}

// took tells it that the virtual addresses are looked after.
func (p predecessor) took() {
	if p.conn != nil {
		_, _ = p.conn.Write([]byte{1})
		p.conn.Close()
	}
}

func inode(info fs.FileInfo) uint64 {
	if s, is := info.Sys().(*syscall.Stat_t); is {
		return s.Ino
	}
	return 0
}
