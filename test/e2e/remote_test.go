//go:build lab

package e2e

import (
	"errors"
	"fmt"
	"testing"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/spec"
)

// connection reaches a host of the file as quorate does.
func connection(t *testing.T, file *spec.Cluster, h spec.Host) host.Host {
	ssh := file.HostSSH(h)
	c := host.New(host.Config{Name: h.Name, Address: h.Address, Port: ssh.Port, User: ssh.User, KeyFile: ssh.KeyFile,
		KnownHostsFile: ssh.KnownHostsFile})
	t.Cleanup(func() { _ = c.Close() }) // nothing is written at the end
	return c
}

// remoteCommand: a command as a unit outlives the network between quorate and
// the host, and the next one of that name waits for its end.
func remoteCommand(t *testing.T, c *cluster) {
	file, _, err := spec.Load(c.File)
	if err != nil {
		t.Fatal(err)
	}
	at := file.Spec.Hosts[0]
	h := connection(t, file, at)
	const note = `echo "$1" >>/run/e2e-log; [ "$1" = second ] || until [ -e /run/e2e-go ]; do sleep 0.1; done; echo "$1 ended" >>/run/e2e-log`
	cmd := func(name string) host.Cmd {
		return host.Cmd{Args: []string{"sh", "-c", note, "sh", name}, Unit: "e2e"}
	}
	start := func(name string) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := h.Run(t.Context(), cmd(name))
			done <- err
		}()
		return done
	}
	log := func(want string) {
		t.Helper()
		eventually(t, "the log is as it must be", func() error {
			if got, _ := c.try(t.Context(), at.Name, `cat /run/e2e-log`); got != want {
				return fmt.Errorf("it is %q, not %q", got, want)
			}
			return nil
		})
	}
	first := start("first")
	log("first")
	if err := c.Cut(t.Context(), at.Name); err != nil {
		t.Fatal(err)
	}
	if err := <-first; !errors.Is(err, host.ErrUnreachable) {
		t.Errorf("with the host cut off: %v", err)
	}
	if got := c.on(t, at.Name, `systemctl is-active quorate-e2e.service`); got != "active" {
		t.Fatalf("the unit is %s: it died with the connection", got)
	}
	if err := c.Heal(t.Context(), at.Name); err != nil {
		t.Fatal(err)
	}
	second := start("second")
	eventually(t, "the second command has come to the host", func() error {
		if n := c.on(t, at.Name, `ls -d /run/quorate/quorate-e2e/run.* | wc -l`); n != "2" {
			return fmt.Errorf("%s commands are there", n)
		}
		return nil
	})
	log("first")
	c.on(t, at.Name, `touch /run/e2e-go`)
	if err := <-second; err != nil {
		t.Error(err)
	}
	log("first\nfirst ended\nsecond\nsecond ended")
}
