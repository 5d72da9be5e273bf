package vrrp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"
)

var (
	a1  = netip.MustParseAddr("10.0.0.41")
	a2  = netip.MustParseAddr("10.0.0.42")
	six = netip.MustParseAddr("fe80::1")
	vip = netip.MustParseAddr("10.0.0.100")
)

func advert(priority uint8) Advert {
	return Advert{VRID: 51, Priority: priority, Interval: 100 * time.Millisecond, Addresses: []netip.Addr{vip}}
}

func TestPacketThereAndBack(t *testing.T) {
	for _, c := range []struct {
		name     string
		from, to netip.Addr
		sum      Checksum
		vip      string
	}{
		{"IPv4 as keepalived", a1, Group4, WithPseudoHeader, "10.0.0.100"},
		{"IPv4 as the RFC", a1, Group4, MessageOnly, "10.0.0.100"},
		{"IPv4 unicast", a1, a2, WithPseudoHeader, "10.0.0.100"},
		{"IPv6", six, Group6, MessageOnly, "fd00::100"},
	} {
		want := Advert{VRID: 51, Priority: 100, Interval: 250 * time.Millisecond, Addresses: []netip.Addr{netip.MustParseAddr(c.vip)}}
		b := want.Marshal(c.from, c.to, c.sum)
		got, err := Parse(b, c.from, c.to)
		if err != nil || got.VRID != want.VRID || got.Priority != want.Priority || got.Interval != want.Interval ||
			!slices.Equal(got.Addresses, want.Addresses) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
		b[2]++
		if _, err := Parse(b, c.from, c.to); !errors.Is(err, ErrChecksum) {
			t.Errorf("%s with another priority: %v", c.name, err)
		}
	}
	// Who changes the sender of an IPv6 packet breaks its checksum.
	b := advert(100).Marshal(a1, Group4, WithPseudoHeader)
	if _, err := Parse(b, a2, Group4); !errors.Is(err, ErrChecksum) {
		t.Errorf("from somebody else: %v", err)
	}
}

func TestPacketRefused(t *testing.T) {
	good := advert(100).Marshal(a1, a2, WithPseudoHeader)
	for name, c := range map[string]struct {
		change func([]byte) []byte
		want   error
	}{
		"empty":        {func([]byte) []byte { return nil }, ErrMalformed},
		"short":        {func(b []byte) []byte { return b[:7] }, ErrMalformed},
		"cut":          {func(b []byte) []byte { return b[:len(b)-1] }, ErrMalformed},
		"longer":       {func(b []byte) []byte { return append(b, 0, 0, 0, 0) }, ErrMalformed},
		"version 2":    {func(b []byte) []byte { b[0] = 0x21; return b }, ErrVersion},
		"type 2":       {func(b []byte) []byte { b[0] = 0x32; return b }, ErrMalformed},
		"no router":    {func(b []byte) []byte { b[1] = 0; return b }, ErrMalformed},
		"no addresses": {func(b []byte) []byte { b[3] = 0; return b[:8] }, ErrMalformed},
		"bit":          {func(b []byte) []byte { b[11] ^= 1; return b }, ErrChecksum},
		"no interval": {func([]byte) []byte {
			a := advert(1)
			a.Interval = 0
			return a.Marshal(a1, a2, MessageOnly)
		}, ErrMalformed},
	} {
		if _, err := Parse(c.change(bytes.Clone(good)), a1, a2); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// FuzzPacket: whatever comes in, Parse returns; and what it takes is written
// and read back as the same.
func FuzzPacket(f *testing.F) {
	f.Add(advert(100).Marshal(a1, a2, WithPseudoHeader), false)
	f.Add(advert(0).Marshal(a1, a2, MessageOnly), false)
	f.Add(Advert{VRID: 1, Priority: 255, Interval: time.Second, Addresses: []netip.Addr{six}}.Marshal(six, Group6, MessageOnly), true)
	short, _ := hex.DecodeString("31330064")
	f.Add(short, true)
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		from, to := a1, a2
		if v6 {
			from, to = six, Group6
		}
		a, err := Parse(b, from, to)
		if err != nil {
			return
		}
		again, err := Parse(a.Marshal(from, to, WithPseudoHeader), from, to)
		if err != nil || again.Priority != a.Priority || again.Interval != a.Interval || !slices.Equal(again.Addresses, a.Addresses) {
			t.Fatalf("%+v became %+v, %v", a, again, err)
		}
	})
}
