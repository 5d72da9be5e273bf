package host

import (
	"context"
	"sync/atomic"
	"time"
)

// How long a TCP connection is waited for. The kernel of a host answers a SYN at
// once, however busy the host is, so that only a lost packet or a long way costs
// time. Linux sends a SYN again after 1 s and after 3 s (RFC 6298, section 2;
// tcp(7), tcp_syn_retries): dialTimeout leaves room for three of them. quietAfter
// leaves room for two, and is enough where a round trip takes 0.6 s (a satellite)
// and the first SYN is lost.
const (
	dialTimeout = 5 * time.Second
	quietAfter  = 2 * time.Second
	quickAnswer = 200 * time.Millisecond
)

// Pace is shared by hosts that are dialled side by side over the same way (none,
// or the same jump host). Once one of them has answered quickly, the others are
// waited for 2 s instead of 5: the way is not what makes them silent. Where all
// are far away, each has the whole DialTimeout.
type Pace struct {
	quickest atomic.Int64 // of all connects, in nanoseconds; 0: none yet
}

// took notes how long a connect took.
func (p *Pace) took(d time.Duration) {
	if p == nil {
		return
	}
	for d = max(d, 1); ; {
		was := p.quickest.Load()
		if was != 0 && was <= int64(d) || p.quickest.CompareAndSwap(was, int64(d)) {
			return
		}
	}
}

// limit ends a dial that takes longer than limit, or longer than quietAfter
// while others have answered quickly.
func (p *Pace) limit(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	if p == nil {
		return ctx, cancel
	}
	timer := time.AfterFunc(quietAfter, func() {
		if q := p.quickest.Load(); q != 0 && q < int64(quickAnswer) {
			cancel()
		}
	})
	return ctx, func() { timer.Stop(); cancel() }
}
