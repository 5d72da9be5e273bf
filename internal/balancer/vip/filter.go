package vip

import (
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"quorate.dev/quorate/internal/balancer/vrrp"
)

// Drop is why a packet was dropped.
type Drop uint8

// Reasons, in the order in which they are looked for.
const (
	Hops        Drop = iota // TTL or hop limit below 255: it crossed a router
	Stranger                // not from a peer, or not to the group
	Malformed               // no advertisement
	Version                 // of another version of VRRP
	BadChecksum             // altered on its way, or computed otherwise
	OtherRouter             // of another virtual router; usual where several share a network
	Flood                   // more than its sender can have to say
	NumDrops
)

func (d Drop) String() string {
	return [...]string{"hop_limit", "stranger", "malformed", "version", "checksum", "other_router", "flood"}[d]
}

// packet is what came from the network.
type packet struct {
	from, to netip.Addr
	hops     int
	data     []byte
}

// heard is an advert that counts.
type heard struct {
	from   netip.Addr
	advert vrrp.Advert
	at     time.Time
}

// filter decides which packets count. It is used by one goroutine.
type filter struct {
	vrid    uint8
	local   netip.Addr
	peers   []netip.Addr // none: multicast
	expect  time.Duration
	buckets map[netip.Addr]*bucket
	drops   *[NumDrops]atomic.Int64
}

// accept returns the advert of a packet that counts.
func (f *filter) accept(p packet, now time.Time) (heard, bool) {
	drop := func(d Drop) (heard, bool) {
		f.drops[d].Add(1)
		return heard{}, false
	}
	if p.from == f.local {
		return heard{}, false // our own, or that of the process which this one replaces
	}
	if p.hops != vrrp.Hops {
		return drop(Hops)
	}
	if len(f.peers) > 0 && !slices.Contains(f.peers, p.from) || len(f.peers) == 0 && !p.to.IsMulticast() {
		return drop(Stranger)
	}
	a, err := vrrp.Parse(p.data, p.from, p.to)
	switch {
	case errors.Is(err, vrrp.ErrVersion):
		return drop(Version)
	case errors.Is(err, vrrp.ErrChecksum):
		return drop(BadChecksum)
	case err != nil:
		return drop(Malformed)
	case a.VRID != f.vrid:
		return drop(OtherRouter)
	case !f.bucket(p.from, now).take(now, min(f.expect, a.Interval)):
		return drop(Flood)
	}
	return heard{p.from, a, now}, true
}

// mostSenders bounds what is kept of senders where anybody may be one.
const mostSenders = 64

func (f *filter) bucket(from netip.Addr, now time.Time) *bucket {
	b := f.buckets[from]
	if b == nil {
		if len(f.buckets) >= mostSenders {
			clear(f.buckets)
		}
		b = &bucket{tokens: burst, at: now}
		f.buckets[from] = b
	}
	return b
}

// A sender may send burst adverts at once, and in the long run perInterval in
// each interval: it sends one, and some more when it changes its mind.
const burst, perInterval = 20, 4

type bucket struct {
	tokens float64
	at     time.Time
}

func (b *bucket) take(now time.Time, interval time.Duration) bool {
	interval = max(interval, 10*time.Millisecond)
	b.tokens = min(burst, b.tokens+perInterval*now.Sub(b.at).Seconds()/interval.Seconds())
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
