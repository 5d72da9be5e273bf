package balancer

import (
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"quorate.dev/quorate/internal/balancer/check"
	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/health"
	"quorate.dev/quorate/internal/balancer/relay"
)

const (
	// acceptors is how many listeners share each address.
	acceptors = 2
	// settleTime is how long the handshakes in flight may take when a listener
	// closes (Listener.Yield).
	settleTime = time.Second
)

// way leads from listeners to backends.
type way struct {
	name    string
	log     *slog.Logger
	changed func(Change)

	backends  atomic.Pointer[[]*backend] // to choose from
	limit     atomic.Int64
	slowStart atomic.Int64
	strict    atomic.Bool
	proxy     atomic.Bool
	live      atomic.Int64
	budget    atomic.Int64
	lags      atomic.Int64
	said      atomic.Int64 // when a limit was last logged, Unix seconds
	pending   list
	counts    Counts
	rates     rates
	watcher   *check.Watcher

	mu        sync.Mutex
	conf      config.Way
	ask       check.Factory
	drain     time.Duration
	all       []*backend // those that left and still have sessions, too
	listeners map[string][]*relay.Listener
	firstLook chan struct{} // closed when every backend was asked
	looked    bool          // used by Checked only

	homing sync.Mutex
	moved  map[*session]int64 // bytes of the sessions that goHome has seen
}

func newWay(name string, log *slog.Logger, changed func(Change)) *way {
	w := &way{
		name: name, log: log.With("way", name), changed: changed,
		listeners: map[string][]*relay.Listener{}, firstLook: make(chan struct{}),
	}
	w.backends.Store(&[]*backend{})
	w.budget.Store(hedgeMost)
	return w
}

// prepared is a way's new configuration, with all that can fail done.
type prepared struct {
	conf      config.Way
	ask       check.Factory
	listeners map[string][]*relay.Listener // new ones
}

// prepare reads certificates, which is what fails most.
func prepare(c config.Way) (prepared, error) {
	ask, err := check.New(c.Check)
	return prepared{conf: c, ask: ask, listeners: map[string][]*relay.Listener{}}, err
}

// listen opens the addresses that old does not have. From then on the kernel
// may lead connections here.
func (p prepared) listen(old *way, virtual []netip.Addr) error {
	for _, address := range p.conf.Listen {
		if old != nil && old.listens(address) {
			continue
		}
		at, err := config.ListenAddress(address)
		if err != nil {
			return err
		}
		for range acceptors {
			l, err := relay.Listen(at, slices.Contains(virtual, at.Addr()))
			if err != nil {
				return err
			}
			p.listeners[address] = append(p.listeners[address], l)
		}
		p.listeners[address][0].Claim()
	}
	return nil
}

func (p prepared) abandon() {
	for _, all := range p.listeners {
		for _, l := range all {
			l.Close()
		}
	}
}

func (w *way) listens(address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.listeners[address] != nil
}

// commit takes the new configuration into use. limit is the most connections.
func (w *way) commit(p prepared, limit int64, drain time.Duration) {
	plan := w.take(p, limit, drain)
	if w.watcher == nil {
		w.watcher = check.Watch(plan, w)
	} else {
		w.watcher.Set(plan)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.relisten(p)
}

// take changes the values. The watcher, which calls back, gets to know them
// when the lock is free.
func (w *way) take(p prepared, limit int64, drain time.Duration) check.Plan {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conf, w.ask, w.drain = p.conf, p.ask, drain
	w.limit.Store(limit)
	w.slowStart.Store(int64(p.conf.SlowStart))
	w.strict.Store(p.conf.Check.Kind == config.KindEtcd)
	w.proxy.Store(p.conf.ProxyProtocol)
	var current []*backend
	for _, c := range p.conf.Backends {
		b := w.byKey(key(c))
		if b == nil {
			b = newBackend(c)
			w.all = append(w.all, b)
		}
		b.conf.Store(&c)
		b.left = time.Time{}
		current = append(current, b)
	}
	for _, b := range w.all {
		if !slices.Contains(current, b) && b.left.IsZero() {
			b.left = time.Now()
		}
	}
	w.retier()
	w.backends.Store(&current)
	return w.plan()
}

// plan is what is watched: current backends, and those that left. An etcd member
// that left is about to be removed, so that nobody may stay with it.
func (w *way) plan() check.Plan {
	shedOver := 5 * time.Second
	if w.conf.Check.Kind == config.KindEtcd {
		shedOver = 500 * time.Millisecond // a handful of connections
	}
	p := check.Plan{Ask: w.ask, Settings: health.Settings{
		Interval: w.conf.Interval(), Timeout: w.conf.Check.Timeout.Std(), Grace: w.conf.Check.Grace.Std(),
		CutOff: w.conf.Check.CutOff.Std(), ShedOver: shedOver,
	}}
	for _, b := range w.all {
		mode := health.Used
		if gone := !b.left.IsZero(); gone && w.conf.Check.Kind != config.KindEtcd {
			mode = health.Left
		} else if gone || b.conf.Load().Leaving {
			mode = health.Leaving
		}
		p.Backends = append(p.Backends, b.watched(mode))
	}
	return p
}

// relisten closes addresses that are no longer wanted, and begins to accept on
// new ones once every backend was asked.
func (w *way) relisten(p prepared) {
	for address, all := range w.listeners {
		if !slices.Contains(p.conf.Listen, address) {
			delete(w.listeners, address)
			go closeListeners(all, settleTime)
		}
	}
	patience := w.patience()
	for address, all := range p.listeners {
		w.listeners[address] = all
		for _, l := range all {
			go func() {
				w.look(patience)
				_ = l.Accept(w.accept, w.sayLimited) // until it is closed
			}()
		}
	}
}

// patience is how long the first answers are waited for.
func (w *way) patience() time.Duration { return 2 * w.conf.Check.Timeout.Std() }

// look returns when every backend was asked once.
func (w *way) look(patience time.Duration) {
	select {
	case <-w.firstLook:
	case <-time.After(patience):
	}
}

// closeListeners closes those of one address, after the handshakes in flight
// had their time and were accepted.
func closeListeners(all []*relay.Listener, settle time.Duration) {
	if settle > 0 {
		all[0].Yield(len(all))
		time.Sleep(settle)
	}
	for _, l := range all {
		for end := time.Now().Add(5 * settle); l.Waiting() > 0 && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond) // we are slow to accept
		}
		l.Close()
	}
}

// stopAccepting returns when all listeners are closed.
func (w *way) stopAccepting(settle time.Duration) {
	w.mu.Lock()
	var closing sync.WaitGroup
	for address, all := range w.listeners {
		delete(w.listeners, address)
		closing.Go(func() { closeListeners(all, settle) })
	}
	w.mu.Unlock()
	closing.Wait()
}

// close ends everything, also what still stands.
func (w *way) close() {
	w.stopAccepting(0)
	w.watcher.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.all {
		for _, s := range b.sessions.oldest(1) {
			s.Reset()
		}
	}
}

// tidy forgets backends that left and whose sessions have ended or had their
// time, and has sessions go home.
func (w *way) tidy(now time.Time) {
	w.rates.add(w.counts.Connections.Load())
	if plan, changed := w.forget(now); changed {
		w.watcher.Set(plan)
	}
	w.goHome(now)
}

func (w *way) forget(now time.Time) (plan check.Plan, changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.all)
	w.all = slices.DeleteFunc(w.all, func(b *backend) bool {
		if b.left.IsZero() {
			return false
		}
		if now.Sub(b.left) >= w.drain {
			for _, s := range b.sessions.oldest(1) {
				s.Reset()
			}
		}
		return b.tries.Load() == 0
	})
	return w.plan(), len(w.all) < n
}

func (w *way) byKey(k string) *backend {
	for _, b := range w.all {
		if b.key == k {
			return b
		}
	}
	return nil
}

// mostPending is how many connections may wait for their ClientHello. Beyond
// it the oldest gives way, so that clients which never speak keep nobody out.
func (w *way) mostPending() int { return int(max(16, min(1024, w.limit.Load()/4))) }

// sayLimited logs at most once a second that connections are turned away.
func (w *way) sayLimited(err error) {
	now, last := time.Now().Unix(), w.said.Load()
	if now == last || !w.said.CompareAndSwap(last, now) {
		return
	}
	if err != nil {
		w.log.Warn("a new connection was reset: no file descriptor is left; next: raise LimitNOFILE", "error", err)
		return
	}
	w.log.Warn("new connections are reset: the limit is reached; next: raise maxConnections", "limit", w.limit.Load())
}
