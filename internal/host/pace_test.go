package host

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	for name, at := range map[string]struct {
		others []time.Duration
		want   time.Duration
	}{
		"nobody has answered":      {nil, dialTimeout},
		"another answered quickly": {[]time.Duration{600 * time.Millisecond, 3 * time.Millisecond, time.Second}, quietAfter},
		"all are far away":         {[]time.Duration{600 * time.Millisecond, 250 * time.Millisecond}, dialTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &Pace{}
			for _, d := range at.others {
				p.took(d)
			}
			begun := time.Now()
			ctx, cancel := p.limit(context.Background(), dialTimeout)
			defer cancel()
			<-ctx.Done()
			if got := time.Since(begun); got != at.want {
				t.Errorf("%s: given up after %s, want %s", name, got, at.want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) { // none is shared
		var p *Pace
		p.took(time.Millisecond)
		begun := time.Now()
		ctx, cancel := p.limit(context.Background(), dialTimeout)
		defer cancel()
		<-ctx.Done()
		if got := time.Since(begun); got != dialTimeout {
			t.Errorf("without a pace: given up after %s", got)
		}
	})
}
