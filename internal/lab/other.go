//go:build !linux

package lab

import (
	"context"
	"errors"
	"io"
)

var errNotLinux = errors.New("lab hosts are systemd-nspawn containers: they need Linux; next: run quorate lab on a Linux machine")

// Up makes a lab; only on Linux.
func Up(context.Context, Options) (*Lab, error) { return nil, errNotLinux }

// Image makes the hosts' common file system; only on Linux.
func Image(context.Context, func(string)) (string, error) { return "", errNotLinux }

// Down removes a lab; only on Linux.
func Down(context.Context, string) error { return errNotLinux }

// Clean removes leftovers; only on Linux.
func Clean(context.Context) ([]string, error) { return nil, errNotLinux }

// Open finds a lab; only on Linux.
func Open(string) (*Lab, error) { return nil, errNotLinux }

// List reads all labs; only on Linux.
func List() ([]*Lab, error) { return nil, errNotLinux }

// Running says whether a host runs; only on Linux.
func (l *Lab) Running(string) bool { return false }

// Status sees all hosts; only on Linux.
func (l *Lab) Status(context.Context) ([]Status, error) { return nil, errNotLinux }

// PowerOff stops a host; only on Linux.
func (l *Lab) PowerOff(context.Context, string, bool) error { return errNotLinux }

// Reinstall gives a host a fresh file system; only on Linux.
func (l *Lab) Reinstall(context.Context, string) error { return errNotLinux }

// PowerOn boots a host; only on Linux.
func (l *Lab) PowerOn(context.Context, string) error { return errNotLinux }

// Cut drops all packets of a host; only on Linux.
func (l *Lab) Cut(context.Context, string) error { return errNotLinux }

// CutPorts drops the packets of some of a host's ports; only on Linux.
func (l *Lab) CutPorts(context.Context, string, string) error { return errNotLinux }

// Hang stops the processes of a service; only on Linux.
func (l *Lab) Hang(context.Context, string, string) error { return errNotLinux }

// Mend undoes Cut, CutPorts and Hang; only on Linux.
func (l *Lab) Mend(context.Context, string) error { return errNotLinux }

// Exec runs a command on a host; only on Linux.
func (l *Lab) Exec(context.Context, string, []string, io.Reader, io.Writer, io.Writer) error {
	return errNotLinux
}

// SSH becomes an interactive ssh; only on Linux.
func (l *Lab) SSH(string, ...string) error { return errNotLinux }
