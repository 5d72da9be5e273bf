package kubeapi

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"
)

func TestHedged(t *testing.T) {
	for name, c := range map[string]struct {
		answers []time.Duration // of the requests in turn; the rest is never answered
		limit   time.Duration
		sent    int
		took    time.Duration
	}{
		"at once":             {[]time.Duration{30 * time.Millisecond}, time.Minute, 1, 30 * time.Millisecond},
		"the first is lost":   {[]time.Duration{time.Hour, 10 * time.Millisecond}, time.Minute, 2, 510 * time.Millisecond},
		"the first is slow":   {[]time.Duration{600 * time.Millisecond, time.Hour}, time.Minute, 2, 600 * time.Millisecond},
		"two are lost":        {[]time.Duration{time.Hour, time.Hour, 0}, time.Minute, 3, 1500 * time.Millisecond},
		"nobody ever answers": {nil, 5 * time.Second, 4, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				var sent atomic.Int32
				ended, began := make(chan struct{}, 10), time.Now()
				hedged(ctx, func(ctx context.Context) rest.Result {
					after := time.Hour
					if n := int(sent.Add(1)); n <= len(c.answers) {
						after = c.answers[n-1]
					}
					defer func() { ended <- struct{}{} }()
					select {
					case <-time.After(after):
					case <-ctx.Done():
					}
					return rest.Result{}
				})
				if took, n := time.Since(began), int(sent.Load()); n != c.sent || took != c.took {
					t.Errorf("%d requests and %v, want %d and %v", n, took, c.sent, c.took)
				}
				for range sent.Load() { // none goes on
					<-ended
				}
			})
		})
	}
}
