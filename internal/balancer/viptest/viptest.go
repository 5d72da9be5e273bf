// Package viptest has networks for tests of virtual addresses: hosts that are
// network namespaces of their own, joined by a bridge in another one. Nothing in
// them reaches the machine's own network. It needs root and iproute2; only tests
// and benchmarks import it.
package viptest

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"quorate.dev/quorate/internal/lab"
)

// Interface of every host, and its VIP.
const (
	Interface = "eth0"
	VIP4      = "10.88.0.100/24"
	VIP6      = "fd88::100/64"
)

// Net is a network of hosts.
type Net struct {
	hosts  []string // namespaces
	bridge string   // the bridge's
}

var made atomic.Int64

// Missing says what this process lacks for New; "" for nothing.
func Missing() string {
	if os.Geteuid() != 0 {
		return "it needs root"
	}
	for _, p := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(p); err != nil {
			return "there is no program " + p
		}
	}
	return ""
}

// New makes a network of n hosts.
func New(n int) (*Net, error) {
	id := lab.VIPNetwork(os.Getpid(), made.Add(1)) // what a killed process leaves, lab.Clean takes away
	net := &Net{bridge: id + "br"}
	for i := range n {
		net.hosts = append(net.hosts, fmt.Sprint(id, i))
	}
	if err := net.make(); err != nil {
		net.Close()
		return nil, err
	}
	return net, nil
}

func (n *Net) make() error {
	if err := ip("netns", "add", n.bridge); err != nil {
		return err
	}
	if err := ip("-n", n.bridge, "link", "add", "br0", "up", "type", "bridge", "forward_delay", "0"); err != nil {
		return err
	}
	for i, h := range n.hosts {
		if err := ip("netns", "add", h); err != nil {
			return err
		}
		// Without it an address is of no use for its first second.
		err := n.In(i, func() error { return os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o644) })
		for _, args := range []string{
			"-n BRIDGE link add PORT type veth peer name eth0 netns HOST",
			"-n BRIDGE link set PORT master br0 up",
			"-n HOST link set lo up",
			"-n HOST addr add ADDRESS/24 dev eth0",
			"-n HOST addr add SIX/64 dev eth0 nodad",
			"-n HOST link set eth0 up",
		} {
			words := strings.NewReplacer("BRIDGE", n.bridge, "PORT", port(i), "HOST", h,
				"ADDRESS", n.Address(i).String(), "SIX", n.Address6(i).String())
			if err == nil {
				err = ip(strings.Fields(words.Replace(args))...)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func port(i int) string { return fmt.Sprint("p", i) }

// Address of a host.
func (n *Net) Address(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 88, 0, byte(41 + i)}) }

// Address6 is its IPv6 address.
func (n *Net) Address6(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("fd88::%d", 41+i)) }

// Command is a program that runs on a host, before all others: a test machine may
// be so busy that protocols with short times make no sense on it.
func (n *Net) Command(i int, args ...string) *exec.Cmd {
	return exec.Command("nice", append([]string{"-n", "-40", "nsenter", "--net=/run/netns/" + n.hosts[i]}, args...)...)
}

// IP runs ip(8) on a host.
func (n *Net) IP(i int, args ...string) error {
	return ip(append([]string{"-n", n.hosts[i]}, args...)...)
}

// Has says that a host has an address, with or without its prefix.
func (n *Net) Has(i int, address string) bool {
	out, err := exec.Command("ip", "-n", n.hosts[i], "-o", "addr", "show").Output()
	a, _, _ := strings.Cut(address, "/")
	return err == nil && strings.Contains(string(out), " "+a+"/")
}

// Unplug takes a host off the network. Its own interface stays up unless carrier
// is to be lost, too.
func (n *Net) Unplug(i int, carrier bool) error {
	if carrier {
		return ip("-n", n.bridge, "link", "set", port(i), "down")
	}
	return ip("-n", n.bridge, "link", "set", port(i), "nomaster")
}

// Plug undoes Unplug.
func (n *Net) Plug(i int) error {
	return ip("-n", n.bridge, "link", "set", port(i), "up", "master", "br0")
}

// In runs f in a host's namespace. Sockets that it opens stay there, and so do
// the goroutines that it does not start.
func (n *Net) In(i int, f func() error) error {
	target, err := os.Open("/run/netns/" + n.hosts[i])
	if err != nil {
		return err
	}
	defer target.Close()
	done := make(chan error, 1)
	go func() {
		// The thread ends with the goroutine, and is never anybody else's.
		runtime.LockOSThread()
		if err := unix.Setns(int(target.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter the network of host %d: %w", i, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// Close removes the network. End what runs on its hosts first.
func (n *Net) Close() error {
	var failed []error
	for _, h := range append([]string{n.bridge}, n.hosts...) {
		if _, err := os.Stat("/run/netns/" + h); err == nil {
			failed = append(failed, ip("netns", "del", h))
		}
	}
	return errors.Join(failed...)
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
