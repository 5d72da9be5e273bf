// Package notify speaks systemd's notification protocol (sd_notify(3)): a
// datagram to the socket that the environment names.
package notify

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// States of a service, to be sent with Send.
const (
	Ready = "READY=1"
	Alive = "WATCHDOG=1"
)

// Reloading announces a reload; Ready ends it. systemd wants the monotonic
// clock with it (Type=notify-reload).
func Reloading() string {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000)
}

// Status is a line for systemctl status.
func Status(line string) string { return "STATUS=" + line }

// MainPID says that this process is the service now.
func MainPID() string { return fmt.Sprintf("MAINPID=%d", os.Getpid()) }

// Send tells systemd; without systemd it does nothing.
func Send(states ...string) error {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	var text string
	for _, s := range states {
		text += s + "\n"
	}
	_, err = c.Write([]byte(text))
	return err
}

// Watchdog is how often Alive must be sent: half of what systemd waits; 0 when
// it does not watch this process.
func Watchdog() time.Duration {
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if pid := os.Getenv("WATCHDOG_PID"); err != nil || usec <= 0 || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(usec) * time.Microsecond / 2
}
