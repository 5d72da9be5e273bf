package vip

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/internal/balancer/viptest"
)

// A client that waits for an answer through an address that leaves is told at once, one
// through the host's own address is left alone.
func TestConnectionsThroughAnAddressThatLeaves(t *testing.T) {
	if why := viptest.Missing(); why != "" {
		t.Skip(why)
	}
	n, err := viptest.New(2)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	virtual := netip.MustParsePrefix(viptest.VIP4)
	if err := n.IP(0, "address", "add", viptest.VIP4, "dev", viptest.Interface); err != nil {
		t.Fatal(err)
	}
	var l net.Listener
	if err := n.In(0, func() (err error) { l, err = net.Listen("tcp4", ":8443"); return err }); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial := func(at netip.Addr) (c net.Conn) {
		if err := n.In(1, func() (err error) { c, err = net.Dial("tcp4", netip.AddrPortFrom(at, 8443).String()); return err }); err != nil {
			t.Fatal(err)
		}
		served, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(); served.Close() })
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		return c
	}
	through, own := dial(virtual.Addr()), dial(n.Address(0))
	if err := n.In(0, func() error {
		there, err := takeOff([]netip.Prefix{virtual})
		if len(there) != 1 {
			t.Errorf("taken off: %v", there)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := through.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("through the address: %v, want a reset", err)
	}
	_ = own.SetDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := own.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("through the host's own: %v, want that nothing happens", err)
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
