// Package balancer leads TCP connections from listeners to backends that are
// checked all the time. It works below TLS, which it neither ends nor reads.
// quorate-lb is this package as a program; docs/balancer.md says how it is run,
// which configuration it reads, and why it behaves as it does.
//
// A Balancer runs several ways, each with listeners, a kind of check and
// backends: the front door to the Kubernetes API, and the way to etcd. Apply
// takes a configuration into use, at first and at each change, wholly or not
// at all and without ending a connection. Replace by a newer process: it opens
// the same addresses, then Drain is called here.
//
// Sub-packages: config (the file as a value), health (which backends are in
// use, a state machine without I/O), check (asks backends), wire (ClientHello,
// PROXY protocol), relay (sockets and bytes), admin (metrics, statistics page),
// notify (systemd). Nothing here prints, or knows quorate's plans.
package balancer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"quorate.dev/quorate/internal/balancer/config"
)

// Every is how often rates are counted and backends that left are looked after.
const Every = time.Second

// Balancer is all ways of one process.
type Balancer struct {
	log *slog.Logger

	applying sync.Mutex // held for the whole of Apply, Drain and Close
	mu       sync.Mutex // guards what follows
	ways     []*way
	file     config.File
	digest   string
	loaded   time.Time
	invalid  string // what is wrong with a newer file that was not taken
	refused  int64
	changes  []Change
	draining bool
	started  time.Time
	stop     chan struct{}
}

// New returns a balancer without ways.
func New(log *slog.Logger) *Balancer {
	b := &Balancer{log: log, started: time.Now(), stop: make(chan struct{})}
	go b.tidy()
	return b
}

func (b *Balancer) tidy() {
	ticks := time.NewTicker(Every)
	defer ticks.Stop()
	for {
		select {
		case <-b.stop:
			return
		case now := <-ticks.C:
			for _, w := range b.snapshot() {
				w.tidy(now)
			}
		}
	}
}

func (b *Balancer) snapshot() []*way {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.ways)
}

// ErrDraining is returned by Apply when the process is on its way out.
var ErrDraining = errors.New("this process drains and takes no new configuration")

// Apply takes a valid configuration into use, and returns when new listeners
// accept. On an error nothing has changed. digest identifies the file for those
// who ask.
func (b *Balancer) Apply(f config.File, digest string) error {
	if b.View().Draining {
		return ErrDraining
	}
	b.applying.Lock()
	defer b.applying.Unlock()
	old := b.snapshot()
	find := func(name string) *way {
		if i := slices.IndexFunc(old, func(w *way) bool { return w.name == name }); i >= 0 {
			return old[i]
		}
		return nil
	}
	var ready []prepared
	for _, c := range f.Ways {
		p, err := prepare(c)
		if err != nil {
			return fmt.Errorf("way %s: %w", c.Name, err)
		}
		ready = append(ready, p)
	}
	for _, p := range ready {
		if err := p.listen(find(p.conf.Name), f.VirtualAddresses()); err != nil {
			for _, p := range ready {
				p.abandon()
			}
			return fmt.Errorf("way %s: %w", p.conf.Name, err)
		}
	}
	limits := b.limits(f)
	var ways []*way
	for i, p := range ready {
		w := find(p.conf.Name)
		if w == nil {
			w = newWay(p.conf.Name, b.log, b.note)
		}
		w.commit(p, limits[i], f.Drain.Std())
		ways = append(ways, w)
	}
	for _, w := range old {
		if !slices.Contains(ways, w) {
			go w.retire(f.Drain.Std())
		}
	}
	for _, w := range ways {
		w.look(w.patience())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ways, b.file, b.digest, b.loaded, b.invalid = ways, f, digest, time.Now(), ""
	return nil
}

// retire lets a way that left the configuration run out.
func (w *way) retire(most time.Duration) {
	w.stopAccepting(settleTime)
	for end := time.Now().Add(most); w.live.Load() > 0 && time.Now().Before(end); {
		time.Sleep(Every)
	}
	w.close()
}

// limits keeps the ways' limits within the descriptors that the process may
// have: two for each connection, and some for everything else.
func (b *Balancer) limits(f config.File) []int64 {
	const others = 256
	var wanted int64
	for _, w := range f.Ways {
		wanted += int64(w.MaxConnections)
	}
	have := wanted
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err == nil {
		have = max(1, (int64(min(r.Cur, 1<<40))-others)/2)
	}
	limits := make([]int64, len(f.Ways))
	for i, w := range f.Ways {
		limits[i] = int64(w.MaxConnections)
		if have < wanted {
			limits[i] = max(1, limits[i]*have/wanted)
			b.log.Warn("maxConnections is lowered to what the process may open; next: raise LimitNOFILE",
				"way", w.Name, "wanted", w.MaxConnections, "limit", limits[i])
		}
	}
	return limits
}

// Invalid notes that a newer configuration was not taken, and why.
func (b *Balancer) Invalid(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.invalid = err.Error()
	b.refused++
}

func (b *Balancer) note(c Change) {
	c.Backend = c.Backend[:strings.LastIndexByte(c.Backend, '@')]
	b.log.Info("backend changed", "way", c.Way, "backend", c.Backend, "from", c.From.String(), "to", c.To.String(), "reason", c.Reason)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changes = append(b.changes, c)
	b.changes = b.changes[max(0, len(b.changes)-keptChanges):]
}

// Drain stops accepting, and returns when the last session has ended or ctx is
// done.
func (b *Balancer) Drain(ctx context.Context) {
	b.applying.Lock()
	defer b.applying.Unlock()
	b.mu.Lock()
	b.draining = true
	b.mu.Unlock()
	var closing sync.WaitGroup
	for _, w := range b.snapshot() {
		closing.Go(func() { w.stopAccepting(settleTime) })
	}
	closing.Wait()
	ticks := time.NewTicker(Every / 10)
	defer ticks.Stop()
	for b.live() > 0 && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticks.C:
		}
	}
}

func (b *Balancer) live() (n int64) {
	for _, w := range b.snapshot() {
		n += w.live.Load()
	}
	return n
}

// Close ends everything at once, sessions too.
func (b *Balancer) Close() {
	b.applying.Lock()
	defer b.applying.Unlock()
	close(b.stop)
	var closing sync.WaitGroup
	for _, w := range b.snapshot() {
		closing.Go(w.close)
	}
	closing.Wait()
}

// View is the whole balancer as people and metrics see it.
type View struct {
	Started, Loaded time.Time
	Digest, Stamp   string
	Invalid         string // why a newer configuration was not taken
	RefusedFiles    int64
	Draining        bool
	Ways            []WayView
	Changes         []Change // oldest first
}

// View returns what is now.
func (b *Balancer) View() View {
	b.mu.Lock()
	v := View{
		Started: b.started, Loaded: b.loaded, Digest: b.digest, Stamp: b.file.Stamp, Invalid: b.invalid,
		RefusedFiles: b.refused, Draining: b.draining, Changes: slices.Clone(b.changes),
	}
	ways := slices.Clone(b.ways)
	b.mu.Unlock()
	for _, w := range ways {
		v.Ways = append(v.Ways, w.view())
	}
	return v
}
