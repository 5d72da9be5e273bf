// Package prober asks a cluster through its endpoint, again and again, while
// something is done to it, and says what its users would have noticed: every
// tick a new connection with one read and one write, and a watch held open.
// It judges nothing and changes nothing but its own ConfigMaps, which it takes
// away again.
package prober

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"quorate.dev/quorate/internal/units"
)

// Config says whom to ask, and how.
type Config struct {
	// Dial opens a connection to the endpoint, such as a host's front door.
	Dial  func(context.Context) (net.Conn, error)
	TLS   *tls.Config   // with a client certificate that may write ConfigMaps
	Run   string        // a name for its ConfigMaps, unlike any other's
	Every time.Duration // default 100ms
	Limit time.Duration // what takes longer has failed; default 5s

	// Record is told of every read and write, one at a time, as they end; the
	// last of them during Stop. It may be nil.
	Record func(Op)
}

// Report is what the cluster's users would have noticed.
type Report struct {
	Requests    int           `json:"requests"`
	Failures    int           `json:"failures"`
	LongestGap  units.Seconds `json:"longestGapSeconds"` // without an answer
	Writes      int           `json:"writes"`            // acknowledged ones
	Lost        []int         `json:"lost"`              // acknowledged, and not there at the end
	WatchBreaks int           `json:"watchBreaks"`
	Errors      []string      `json:"errors,omitempty"` // the first few
}

// String is the report in one line.
func (r Report) String() string {
	s := fmt.Sprintf("probe: %d requests, %d failed, longest gap %s, %d writes acknowledged, %d lost, watch broke %d times",
		r.Requests, r.Failures, r.LongestGap.Duration().Round(time.Millisecond), r.Writes, len(r.Lost), r.WatchBreaks)
	for _, e := range r.Errors {
		s += "\n  " + e
	}
	return s
}

const (
	keepErrors = 5 // as many are told
	keepBreaks = 2 // of them that a watch broke: requests that fail say more
	// Writes go round these many ConfigMaps, so that two that overlap do not
	// contend for one, and to new ones after so many.
	slots  = 20
	perSet = 1000
)

// slot is the ConfigMap of a write.
func slot(n int) int { return n/perSet*slots + n%slots }

// readSlot is the ConfigMap to read before a write: the one that was written a
// tick ago, so that an old answer shows.
func readSlot(n int) int { return slot(max(n-1, 0)) }

// Prober is a probe under way.
type Prober struct {
	cfg    Config
	cancel context.CancelFunc
	group  sync.WaitGroup
	begun  time.Time
	told   sync.Mutex // one Record at a time

	mu     sync.Mutex
	report Report
	last   time.Time // of the last answer
	acked  []int
}

// Start makes the first ConfigMap, which must work, and begins.
func Start(ctx context.Context, cfg Config) (*Prober, error) {
	if cfg.Every == 0 {
		cfg.Every = 100 * time.Millisecond
	}
	if cfg.Limit == 0 {
		cfg.Limit = 5 * time.Second
	}
	p := &Prober{cfg: cfg, begun: time.Now()}
	if err := p.create(ctx, 0); err != nil {
		return nil, fmt.Errorf("start probing: %w", err)
	}
	ctx, p.cancel = context.WithCancel(ctx)
	p.last = time.Now()
	p.group.Add(2)
	go p.ticks(ctx)
	go p.watch(ctx)
	return p, nil
}

// Stop ends the probe, reads every acknowledged write back, and takes the
// ConfigMaps away.
func (p *Prober) Stop(ctx context.Context) (Report, error) {
	p.cancel()
	p.group.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gap(time.Now())
	err := p.readBack(ctx)
	return p.report, err
}

// ticks asks at every tick, also while earlier questions have no answer yet.
func (p *Prober) ticks(ctx context.Context) {
	defer p.group.Done()
	tick := time.NewTicker(p.cfg.Every)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.group.Add(1)
			go func() {
				defer p.group.Done()
				// What has begun is finished: an end is no failure.
				ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.Limit)
				defer cancel()
				p.once(ask, n)
			}()
		}
	}
}

// once is one new connection with one read and one write.
func (p *Prober) once(ctx context.Context, n int) {
	client := p.client()
	defer client.CloseIdleConnections()
	if !p.note("read", p.read(ctx, client, n)) {
		return
	}
	if p.note("write", p.write(ctx, client, n)) {
		p.mu.Lock()
		p.report.Writes++
		p.acked = append(p.acked, n)
		p.mu.Unlock()
	}
}

// note counts an answer, or its absence.
func (p *Prober) note(what string, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report.Requests++
	now := time.Now()
	if err != nil {
		p.report.Failures++
		if len(p.report.Errors) < keepErrors {
			p.report.Errors = append(p.report.Errors, fmt.Sprintf("%s %s: %v", now.UTC().Format("15:04:05.000"), what, err))
		}
		return false
	}
	p.gap(now)
	return true
}

func (p *Prober) gap(now time.Time) {
	p.report.LongestGap = max(p.report.LongestGap, units.Seconds(now.Sub(p.last)))
	p.last = now
}

// client has connections of its own, so that each question makes a new one.
func (p *Prober) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := p.cfg.Dial(ctx)
			if err != nil {
				return nil, errNotSent{err}
			}
			return conn, nil
		},
		TLSClientConfig:     p.cfg.TLS.Clone(),
		TLSHandshakeTimeout: p.cfg.Limit,
		ForceAttemptHTTP2:   true,
	}}
}

// lost are the acknowledged writes that are not among those found.
func lost(acked []int, found map[int]bool) []int {
	var out []int
	for _, n := range acked {
		if !found[n] {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}
