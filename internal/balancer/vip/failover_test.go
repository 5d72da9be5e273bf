package vip_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/viptest"
)

// One pair through all ways in which an active router ends. Each time the other
// one gets the address, a third host finds it there, and the address is off the
// host that lost it, as far as that is still a host.
func TestFailover(t *testing.T) {
	t.Parallel()
	b := newBed(t, 3)
	r0, r1 := b.start(0, b.vip(0, 150)), b.start(1, b.vip(1, 100))
	p := b.ping()
	b.holds(0, viptest.VIP4)
	b.answers(p)
	if v := r0.view(); !v.Active() || !v.Guarded || v.Priority != 150 {
		t.Errorf("view: %+v", v)
	}

	// Clean stop.
	r0.end(syscall.SIGTERM)
	if b.Has(0, viptest.VIP4) {
		t.Error("after a clean stop the address is still here")
	}
	b.holds(1, viptest.VIP4)
	b.answers(p)

	// It comes back and preempts.
	r0 = b.start(0, b.vip(0, 150))
	b.holds(0, viptest.VIP4)
	b.answers(p)

	// Killed: its guard takes the address off.
	r0.end(syscall.SIGKILL)
	b.holds(1, viptest.VIP4)
	b.answers(p)
	r0 = b.start(0, b.vip(0, 150))
	b.holds(0, viptest.VIP4)

	// Hung: the guard takes it off, and when the process goes on it does not have
	// it beside the other one.
	r0.signal(syscall.SIGSTOP)
	b.holds(1, viptest.VIP4)
	b.answers(p)
	r0.signal(syscall.SIGCONT)
	b.until("the pause is noticed", func() bool { return strings.Contains(r0.log.String(), "stood still for") })
	b.holds(0, viptest.VIP4) // it preempts

	// No way to a server.
	if err := os.WriteFile(r0.path+".unfit", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.holds(1, viptest.VIP4)
	if v := r0.view(); v.Fit || v.Priority >= 16 {
		t.Errorf("without a way to a server: %+v", v)
	}
	if err := os.Remove(r0.path + ".unfit"); err != nil {
		t.Fatal(err)
	}
	b.holds(0, viptest.VIP4)

	// Cut off without noticing: both have it, until they hear each other again.
	if err := b.Unplug(0, false); err != nil {
		t.Fatal(err)
	}
	b.until("the other one takes over", func() bool { return b.Has(1, viptest.VIP4) })
	b.answers(p)
	if err := b.Plug(0); err != nil {
		t.Fatal(err)
	}
	b.holds(0, viptest.VIP4)
	b.answers(p)

	// The link goes down: it gives the address up.
	if err := b.Unplug(0, true); err != nil {
		t.Fatal(err)
	}
	b.holds(1, viptest.VIP4)
	b.answers(p)
	if v := r0.view(); v.State != "off" {
		t.Errorf("with the link down: %+v", v)
	}
	if err := b.Plug(0); err != nil {
		t.Fatal(err)
	}
	b.holds(0, viptest.VIP4)

	// Somebody removes the address: it is put back.
	if err := b.IP(0, "addr", "del", viptest.VIP4, "dev", viptest.Interface); err != nil {
		t.Fatal(err)
	}
	b.until("the address is put back", func() bool { return b.Has(0, viptest.VIP4) })
	_ = r1
}

// Everything is killed at once, guard and all: the next start removes what was
// left, also where another router has the address by now.
func TestLeftOver(t *testing.T) {
	t.Parallel()
	b := newBed(t, 3)
	if err := b.IP(0, "addr", "add", viptest.VIP4, "dev", viptest.Interface); err != nil {
		t.Fatal(err)
	}
	b.start(1, b.vip(1, 150))
	b.start(0, b.vip(0, 100))
	b.holds(1, viptest.VIP4)
}

// A host's only address is never taken for a virtual one.
func TestOnlyAddressStays(t *testing.T) {
	t.Parallel()
	b := newBed(t, 2)
	v := b.vip(0, 150)
	v.Addresses, v.Source = []string{b.Address(0).String() + "/24"}, ""
	r := b.start(0, v)
	b.until("it says what is wrong", func() bool { return r.view().State == "off" && r.view().Reason != "not started" })
	r.end(syscall.SIGTERM)
	if !b.Has(0, b.Address(0).String()) {
		t.Error("the host lost its address")
	}
}

// An address that somebody has who speaks no VRRP is not taken.
func TestProbe(t *testing.T) {
	t.Parallel()
	for _, family := range []string{"IPv4", "IPv6"} {
		t.Run(family, func(t *testing.T) {
			b := newBed(t, 3)
			v, address := b.vip(0, 150), viptest.VIP4
			if family == "IPv6" {
				address = viptest.VIP6
				v.Addresses, v.Source, v.Peers = []string{address}, b.Address6(0).String(), []string{b.Address6(1).String()}
			}
			if err := b.IP(2, "addr", "add", address, "dev", viptest.Interface); err != nil {
				t.Fatal(err)
			}
			r := b.start(0, v)
			b.until("it sees that the address is in use", func() bool {
				return r.view().State == "backup" && strings.Contains(r.view().Reason, "is in use by")
			})
			time.Sleep(time.Second)
			if b.Has(0, address) {
				t.Fatal("it took an address that is in use")
			}
			if err := b.IP(2, "addr", "del", address, "dev", viptest.Interface); err != nil {
				t.Fatal(err)
			}
			b.until("it takes the address when that is free", func() bool { return b.Has(0, address) })
		})
	}
}

// IPv6, by multicast: the address moves and its announcement is understood.
func TestIPv6Multicast(t *testing.T) {
	t.Parallel()
	b := newBed(t, 3)
	conf := func(i, priority int) config.VIP {
		v := b.vip(i, priority)
		v.Addresses, v.Source, v.Peers = []string{viptest.VIP6}, "", nil
		return v
	}
	r0 := b.start(0, conf(0, 150))
	b.start(1, conf(1, 100))
	b.holds(0, viptest.VIP6)
	r0.end(syscall.SIGKILL)
	b.holds(1, viptest.VIP6)
}
