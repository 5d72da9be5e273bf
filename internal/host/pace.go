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

// A kernel answers for a machine whose programs hang. While a server is silent at
// the login, it is waited for as much longer than the slowest of the others took,
// but not less than minSilence.
const (
	silenceFactor = 20
	minSilence    = 6 * time.Second
	silenceTick   = 200 * time.Millisecond
)

// Pace is shared by hosts that are dialled side by side over the same way (none,
// or the same jump host). Once one of them has answered quickly, the others are
// waited for 2 s instead of 5: the way is not what makes them silent. Where all
// are far away, each has the whole DialTimeout. The same holds for logins, by
// the slowest so far.
type Pace struct {
	quickest atomic.Int64 // of all connects, in nanoseconds; 0: none yet
	slowest  atomic.Int64 // of all logins
}

// loggedIn notes how long a login took.
func (p *Pace) loggedIn(d time.Duration) {
	if p == nil {
		return
	}
	for d = max(d, 1); ; {
		was := p.slowest.Load()
		if was >= int64(d) || p.slowest.CompareAndSwap(was, int64(d)) {
			return
		}
	}
}

// attentive ends a login at which the server has been silent for too long, by
// what others took. Heard is when it said something last.
func (p *Pace) attentive(ctx context.Context, heard func() time.Time) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if p == nil {
		return ctx, cancel
	}
	go func() {
		tick := time.NewTicker(silenceTick)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if d := time.Duration(p.slowest.Load()); d > 0 && time.Since(heard()) > max(minSilence, silenceFactor*d) {
				cancel()
				return
			}
		}
	}()
	return ctx, cancel
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
