package check

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/health"
)

// fakeAsker answers in fake time.
type fakeAsker struct {
	mu     sync.Mutex
	silent bool
	hung   bool // silent, but its host takes connections
	takes  time.Duration
	acked  time.Time // by its host's kernel
	closed bool
}

func (f *fakeAsker) Ask(ctx context.Context, _ health.Question) health.Answer {
	f.mu.Lock()
	silent, takes := f.silent || f.hung, f.takes
	if !f.silent {
		f.acked = time.Now()
	}
	f.mu.Unlock()
	if silent {
		takes = 2 * time.Second
	}
	select {
	case <-ctx.Done():
		return health.Answer{Result: health.OurFault}
	case <-time.After(takes):
	}
	if silent {
		return health.Answer{Result: health.Silence}
	}
	return health.Answer{Result: health.OK}
}

func (f *fakeAsker) Heard() (host, server time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.acked, time.Time{}
}

func (f *fakeAsker) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

func (f *fakeAsker) become(silent, hung bool, takes time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.silent, f.hung, f.takes = silent, hung, takes
}

type log struct {
	mu      sync.Mutex
	changes []health.Change
	reset   map[string]time.Time
	answers int
}

func (l *log) Checked(_ []health.View, do health.Do, _ int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = append(l.changes, do.Changes...)
	for _, b := range do.Reset {
		l.reset[b] = time.Now()
	}
}

func (l *log) Answered(string, health.Answer, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers++
}

func (l *log) resetAt(key string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reset[key]
}

// three is a plan of three backends, and who asks them.
func three() (Plan, map[string]*fakeAsker) {
	askers := map[string]*fakeAsker{}
	p := Plan{
		Settings: health.Settings{Interval: 250 * time.Millisecond, Timeout: 500 * time.Millisecond, Grace: 3 * time.Second,
			ShedOver: 5 * time.Second},
		Ask: func(t Target) Asker {
			askers[t.Backend.Name] = &fakeAsker{takes: 3 * time.Millisecond}
			return askers[t.Backend.Name]
		},
	}
	for _, name := range []string{"a", "b", "c"} {
		p.Backends = append(p.Backends, Watched{Backend: config.Backend{Name: name}, Key: name})
	}
	return p, askers
}

func TestWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, askers := three()
		l := &log{reset: map[string]time.Time{}}
		w := Watch(p, l)
		time.Sleep(10*time.Second + 10*time.Millisecond)
		synctest.Wait()
		l.mu.Lock()
		if len(l.changes) != 3 || l.answers < 3*38 || l.answers > 3*42 {
			t.Errorf("%d answers in 10 s, changes %v", l.answers, l.changes)
		}
		l.mu.Unlock()
		askers["b"].become(true, false, 0)
		cut := time.Now()
		time.Sleep(time.Second)
		if at := l.resetAt("b"); at.IsZero() || at.Sub(cut) > 750*time.Millisecond {
			t.Errorf("its sessions were reset after %v", at.Sub(cut))
		}
		askers["b"].become(false, false, 3*time.Millisecond)
		time.Sleep(time.Second)
		p.Backends = p.Backends[:2]
		old := askers["c"]
		w.Set(p)
		synctest.Wait()
		old.mu.Lock()
		if !old.closed {
			t.Error("the connection to a backend that left is kept")
		}
		old.mu.Unlock()
		w.Close()
		before := l.answers
		time.Sleep(time.Second)
		if l.answers != before {
			t.Error("it asks after Close")
		}
	})
}

// A hung server is found like a silent host, a little later. One that is
// starved of CPU answers late, and keeps its sessions.
func TestHungAndStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, askers := three()
		l := &log{reset: map[string]time.Time{}}
		w := Watch(p, l)
		defer w.Close()
		time.Sleep(3*time.Second + 60*time.Millisecond)
		synctest.Wait()
		askers["b"].become(false, true, 0)
		cut := time.Now()
		time.Sleep(3 * time.Second)
		if at := l.resetAt("b"); at.IsZero() || at.Sub(cut) > 1100*time.Millisecond {
			t.Errorf("hung: its sessions were reset after %v", at.Sub(cut))
		}
		for _, takes := range []time.Duration{200, 500, 1000, 1500, 800, 100} {
			askers["c"].become(false, false, takes*time.Millisecond)
			time.Sleep(3 * time.Second)
			synctest.Wait()
		}
		if at := l.resetAt("c"); !at.IsZero() {
			t.Errorf("starved: its sessions were reset after %v", at.Sub(cut))
		}
	})
}
