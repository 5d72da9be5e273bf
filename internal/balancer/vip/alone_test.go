package vip_test

import (
	"testing"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/viptest"
)

// A router that hears no other asks for the address and takes it, whatever its interval.
func TestAlone(t *testing.T) {
	t.Parallel()
	for _, advert := range []time.Duration{50, 150, 250, 300, 390, 400, 1000} {
		advert *= time.Millisecond
		t.Run(advert.String(), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, 2)
			v := b.vip(0, 150)
			v.Advert = config.Duration(advert)
			b.start(0, v)
			b.holds(0, viptest.VIP4)
		})
	}
}
