package vip_test

import (
	"syscall"
	"testing"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/viptest"
)

// Beside Debian's keepalived on the same virtual router, both ways: each hears
// the other, yields to the higher priority and takes over when the other ends.
// So a pair can be changed over host by host.
func TestBesideKeepalived(t *testing.T) {
	t.Parallel()
	b := newBed(t, 3)
	slow := func(v config.VIP) config.VIP {
		v.Advert = config.Duration(500 * time.Millisecond)
		return v
	}
	old := b.keepalived(0, slow(b.vip(0, 150)))
	b.until("keepalived takes the address", func() bool { return b.Has(0, viptest.VIP4) })
	ours := b.start(1, slow(b.vip(1, 100)))
	b.until("ours hears keepalived", func() bool { v := ours.view(); return v.State == "backup" && v.Peer == b.Address(0) })
	p := b.ping()
	b.answers(p)
	if n := ours.view().Counts.Dropped[2].Load() + ours.view().Counts.Dropped[4].Load(); n != 0 {
		t.Errorf("%d packets of keepalived are malformed or have another checksum", n)
	}
	old.end(syscall.SIGTERM)
	b.holds(1, viptest.VIP4)
	b.answers(p)

	// keepalived comes back with the higher priority, and takes it.
	old = b.keepalived(0, slow(b.vip(0, 150)))
	b.holds(0, viptest.VIP4)
	b.answers(p)
	old.end(syscall.SIGTERM)
	b.holds(1, viptest.VIP4)

	// With a lower one it hears ours, and waits until that stops.
	b.keepalived(0, slow(b.vip(0, 50)))
	time.Sleep(2 * time.Second)
	b.holds(1, viptest.VIP4)
	ours.end(syscall.SIGTERM)
	b.holds(0, viptest.VIP4)
	b.answers(p)
}
