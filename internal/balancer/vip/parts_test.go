package vip

import (
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"quorate.dev/quorate/internal/balancer/vrrp"
)

var (
	here  = netip.MustParseAddr("10.0.0.41")
	peer  = netip.MustParseAddr("10.0.0.42")
	other = netip.MustParseAddr("10.0.0.66")
	mac   = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

func packetOf(from, to netip.Addr, vrid, priority uint8) packet {
	a := vrrp.Advert{VRID: vrid, Priority: priority, Interval: 100 * time.Millisecond, Addresses: []netip.Addr{other}}
	return packet{from: from, to: to, hops: 255, data: a.Marshal(from, to, vrrp.WithPseudoHeader)}
}

func newFilter(peers ...netip.Addr) *filter {
	return &filter{vrid: 51, local: here, peers: peers, expect: 100 * time.Millisecond, buckets: map[netip.Addr]*bucket{},
		drops: new([NumDrops]atomic.Int64)}
}

// What does not count is dropped and counted, each under its own name; above all
// a higher priority from who is no peer.
func TestFilter(t *testing.T) {
	good := packetOf(peer, here, 51, 150)
	for name, c := range map[string]struct {
		change func(*packet)
		want   Drop
	}{
		"crossed a router":  {func(p *packet) { p.hops = 254 }, Hops},
		"intruder":          {func(p *packet) { *p = packetOf(other, here, 51, 255) }, Stranger},
		"intruder to group": {func(p *packet) { *p = packetOf(other, vrrp.Group4, 51, 255) }, Stranger},
		"cut":               {func(p *packet) { p.data = p.data[:9] }, Malformed},
		"version 2":         {func(p *packet) { p.data[0] = 0x21 }, Version},
		"altered":           {func(p *packet) { p.data[2] = 255 }, BadChecksum},
		"another router":    {func(p *packet) { *p = packetOf(peer, here, 52, 150) }, OtherRouter},
	} {
		f, p := newFilter(peer), good
		p.data = append([]byte{}, good.data...)
		c.change(&p)
		if _, ok := f.accept(p, start); ok || f.drops[c.want].Load() != 1 {
			t.Errorf("%s: accepted %v, dropped as %s: %d", name, ok, c.want, f.drops[c.want].Load())
		}
	}
	f := newFilter(peer)
	if h, ok := f.accept(good, start); !ok || h.advert.Priority != 150 || h.from != peer {
		t.Errorf("a peer's: %+v, %v", h, ok)
	}
	if _, ok := f.accept(packetOf(here, here, 51, 150), start); ok {
		t.Error("its own packet counts")
	}
	if _, ok := newFilter().accept(packetOf(other, here, 51, 150), start); ok {
		t.Error("by multicast, a packet to one address counts")
	}
	if _, ok := newFilter().accept(packetOf(other, vrrp.Group4, 51, 150), start); !ok {
		t.Error("by multicast, a packet to the group does not count")
	}
}

// A flood is dropped, and some of it still counts, so that a peer whose adverts
// come with it is not taken for silent.
func TestFlood(t *testing.T) {
	f, counted := newFilter(peer), 0
	for i := range 10000 { // ten seconds
		if _, ok := f.accept(packetOf(peer, here, 51, 150), start.Add(time.Duration(i)*time.Millisecond)); ok {
			counted++
		}
	}
	if counted < 390 || counted > 430 {
		t.Errorf("%d of 10000 counted in 10 s; 40 a second may", counted)
	}
	if dropped := f.drops[Flood].Load(); dropped != int64(10000-counted) {
		t.Errorf("%d are counted as flood", dropped)
	}
	// Its regular adverts are none.
	f = newFilter(peer)
	for i := range 1000 {
		if _, ok := f.accept(packetOf(peer, here, 51, 150), start.Add(time.Duration(i)*100*time.Millisecond)); !ok {
			t.Fatalf("advert %d was dropped", i)
		}
	}
}

func TestFrames(t *testing.T) {
	for _, a := range []netip.Addr{other, netip.MustParseAddr("fd00::100")} {
		c, is := claimIn(announcement(a, mac), net.HardwareAddr{2, 0, 0, 0, 0, 2})
		if !is || c.address != a || c.mac != mac.String() {
			t.Errorf("%s: its announcement is read as %+v, %v", a, c, is)
		}
		if _, is := claimIn(announcement(a, mac), mac); is {
			t.Errorf("%s: our own announcement is a claim", a)
		}
		if _, is := claimIn(question(a, mac), nobody); is {
			t.Errorf("%s: a question is a claim", a)
		}
	}
}

// FuzzFrame: whatever comes over the network, it is read within bounds.
func FuzzFrame(f *testing.F) {
	f.Add(announcement(other, mac))
	f.Add(announcement(netip.MustParseAddr("fd00::100"), mac))
	f.Add(question(other, mac))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, is := claimIn(b, mac); is && (!c.address.IsValid() || c.mac == mac.String()) {
			t.Fatalf("%x is read as %+v", b, c)
		}
	})
}

// FuzzAccept: whatever comes over the network, only adverts of this virtual
// router that crossed no router and came from a peer count.
func FuzzAccept(f *testing.F) {
	f.Add(packetOf(peer, here, 51, 150).data, 255, true)
	f.Add([]byte{0x31, 51}, 255, true)
	f.Fuzz(func(t *testing.T, b []byte, hops int, fromPeer bool) {
		p := packet{from: other, to: here, hops: hops, data: b}
		if fromPeer {
			p.from = peer
		}
		if h, ok := newFilter(peer).accept(p, start); ok && (!fromPeer || hops != 255 || h.advert.VRID != 51) {
			t.Fatalf("%x counts: %+v", b, h)
		}
	})
}

func TestSteady(t *testing.T) {
	var s steady
	at := start
	say := func(fit bool, after time.Duration) {
		at = at.Add(after)
		s.answer(at, fit, "broken")
	}
	want := func(fit bool) {
		t.Helper()
		if got, why := s.state(at); got != fit {
			t.Errorf("at %v: fit is %v (%s)", at.Sub(start), got, why)
		}
	}
	want(false)
	say(true, 0)
	want(true) // the first answer counts at once
	say(false, time.Second)
	want(true)
	say(true, 100*time.Millisecond)
	say(false, time.Second)
	say(false, 400*time.Millisecond)
	want(true) // not long enough
	say(false, 200*time.Millisecond)
	want(false)
	say(true, 100*time.Millisecond)
	want(false)
	say(true, time.Second)
	want(true)
	at = at.Add(3 * time.Second)
	want(false) // the balancer hangs
}

// A guard waits less than the other routers with usual intervals, and not so
// short that a busy processor looks like a hung process.
func TestPatience(t *testing.T) {
	for interval, want := range map[time.Duration]time.Duration{
		10 * time.Millisecond: 150 * time.Millisecond, 100 * time.Millisecond: 250 * time.Millisecond, time.Second: time.Second,
	} {
		if got := patience(interval); got != want {
			t.Errorf("%v: %v, want %v", interval, got, want)
		}
	}
}
