package vip

import (
	"sync"
	"time"
)

const (
	// askFitness is how often the caller is asked.
	askFitness = 100 * time.Millisecond
	// unfitAfter and fitAfter: a state must last so long before it counts.
	unfitAfter = 500 * time.Millisecond
	fitAfter   = time.Second
	// silentAfter: a caller that does not answer for so long hangs.
	silentAfter = 2 * time.Second
)

// steady is fitness without short changes. The first good answer counts at once.
type steady struct {
	fit, ever bool
	why       string
	since     time.Time // since when the answers differ from fit
	answered  time.Time
}

func (s *steady) answer(now time.Time, fit bool, why string) {
	s.answered = now
	if !fit {
		s.why = why
	}
	if fit == s.fit {
		s.since = time.Time{}
		return
	}
	if s.since.IsZero() {
		s.since = now
	}
	if lasted := now.Sub(s.since); fit && (!s.ever || lasted >= fitAfter) || !fit && lasted >= unfitAfter {
		s.fit, s.ever, s.since = fit, s.ever || fit, time.Time{}
	}
}

// state is what counts now.
func (s *steady) state(now time.Time) (bool, string) {
	switch {
	case s.answered.IsZero():
		return false, "not asked yet"
	case now.Sub(s.answered) > silentAfter:
		return false, "the balancer does not answer for " + now.Sub(s.answered).Round(time.Second).String()
	case s.fit:
		return true, ""
	}
	return false, s.why
}

// fitness asks the caller from a goroutine of its own, which may hang.
type fitness struct {
	changed chan struct{}
	done    chan struct{}

	mu     sync.Mutex
	way    string
	steady steady
}

func watchFitness(ask Fitness, way string) *fitness {
	f := &fitness{changed: make(chan struct{}, 1), done: make(chan struct{}), way: way}
	f.ask(ask)
	go f.run(ask)
	return f
}

func (f *fitness) run(ask Fitness) {
	ticks := time.NewTicker(askFitness)
	defer ticks.Stop()
	for {
		select {
		case <-f.done:
			return
		case <-ticks.C:
			f.ask(ask)
		}
	}
}

func (f *fitness) ask(ask Fitness) {
	f.mu.Lock()
	way := f.way
	f.mu.Unlock()
	fit, why := ask(way)
	f.mu.Lock()
	was := f.steady.fit
	f.steady.answer(time.Now(), fit, why)
	changed := was != f.steady.fit
	f.mu.Unlock()
	if changed {
		select {
		case f.changed <- struct{}{}:
		default:
		}
	}
}

func (f *fitness) now() (bool, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.steady.state(time.Now())
}

func (f *fitness) use(way string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.way = way
}

func (f *fitness) stop() { close(f.done) }
