package kubeapi

import (
	"context"
	"time"

	"k8s.io/client-go/rest"
)

// patience is how long an answer to a read is waited for before it is asked for
// once more; each time twice as long. An API server that asks all etcd members
// in turn hangs with every third request when the host of one falls silent, and
// answers the next.
const patience = 500 * time.Millisecond

// hedged sends a read until one of those sent is answered, which is the result.
// The others are given up.
func hedged(ctx context.Context, send func(context.Context) rest.Result) rest.Result {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answered := make(chan rest.Result, 1)
	for wait := patience; ; wait *= 2 {
		go func() {
			r := send(ctx)
			select {
			case answered <- r:
			default: // another was first
			}
		}()
		timer := time.NewTimer(wait)
		select {
		case r := <-answered:
			timer.Stop()
			return r
		case <-timer.C:
		case <-ctx.Done(): // the requests end with it, and say so
			return <-answered
		}
	}
}
