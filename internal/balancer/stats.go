package balancer

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"quorate.dev/quorate/internal/balancer/health"
	"quorate.dev/quorate/internal/balancer/relay"
)

// Counts of one backend or way. They only grow.
type Counts struct {
	Connections atomic.Int64 // accepted; at a backend: won by it
	Refused     atomic.Int64 // reset since no backend took them
	Limited     atomic.Int64 // reset at a limit
	Incomplete  atomic.Int64 // ended before a whole ClientHello came
	DialFailed  atomic.Int64 // attempts that failed; the connection may have gone elsewhere
	Hedged      atomic.Int64 // second attempts beside a slow one
	Reset       atomic.Int64 // sessions that were reset since the backend was gone
	Shed        atomic.Int64 // sessions that were closed since it was not ready
	FromClient  relay.Counter
	ToClient    relay.Counter
}

const (
	keptLatencies = 64
	keptChanges   = 100
	keptRates     = 120
)

// checks is what the questions to one backend took.
type checks struct {
	mu     sync.Mutex
	recent [keptLatencies]time.Duration
	n      int
	failed int64
	last   time.Duration
}

func (c *checks) add(took time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok {
		c.failed++
		return
	}
	c.recent[c.n%keptLatencies], c.last = took, took
	c.n++
}

// Checks of one backend: the last good answer's latency, median and maximum of
// the last 64, and how many there were.
type Checks struct {
	Last, Median, Max time.Duration
	OK, Failed        int64
}

func (c *checks) view() Checks {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := Checks{Last: c.last, OK: int64(c.n), Failed: c.failed}
	if n := min(c.n, keptLatencies); n > 0 {
		sorted := slices.Sorted(slices.Values(c.recent[:n]))
		v.Median, v.Max = sorted[n/2], sorted[n-1]
	}
	return v
}

// WayView is one way as people and metrics see it.
type WayView struct {
	Name     string
	Listen   []string
	Interval time.Duration
	Detect   time.Duration
	Limit    int64
	Sessions int64
	Pending  int64
	Lags     int
	Counts   *Counts
	Rates    []float64 // new connections a second, oldest first, one each Every
	Backends []BackendView
}

// BackendView is one backend. Draining ones left the configuration and keep
// their sessions until those end.
type BackendView struct {
	health.View
	Address   string
	Preferred bool
	Draining  bool
	Sessions  int64
	Checks    Checks
	Counts    *Counts
}

// Change is a backend's, with its way.
type Change struct {
	Way string
	health.Change
}

// rates are new connections a second, for the last minutes.
type rates struct {
	mu     sync.Mutex
	last   int64
	recent []float64
}

func (r *rates) add(all int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recent = append(r.recent, float64(all-r.last)/Every.Seconds())
	r.recent = r.recent[max(0, len(r.recent)-keptRates):]
	r.last = all
}

func (r *rates) view() []float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.recent)
}
