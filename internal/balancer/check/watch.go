package check

import (
	"context"
	"sync"
	"time"

	"quorate.dev/quorate/internal/balancer/config"
	"quorate.dev/quorate/internal/balancer/health"
)

// Sink takes what the checks of a way find. Its methods are called from one
// goroutine and must not block.
type Sink interface {
	// Checked: the state of all backends, and what has to be done now.
	Checked(views []health.View, do health.Do, lags int)
	// Answered: one question was answered, or given up.
	Answered(key string, a health.Answer, took time.Duration)
}

// Plan is what a Watcher watches.
type Plan struct {
	Settings health.Settings
	Ask      Factory
	Backends []Watched
}

// Watched is one backend. Its key tells it from others, also from one that had
// its name before.
type Watched struct {
	config.Backend
	Key  string
	Mode health.Mode
}

// Watcher asks the backends of one way, for ever.
type Watcher struct {
	sink    Sink
	machine *health.Machine
	ask     Factory
	plan    map[string]Watched
	askers  map[string]Asker

	listened time.Time // when somebody's connections were last looked at

	ctx     context.Context
	cancel  context.CancelFunc
	calls   chan func(now time.Time) health.Do
	answers chan answer
	done    chan struct{}
	running sync.WaitGroup
}

type answer struct {
	question health.Question
	answer   health.Answer
	took     time.Duration
}

// Watch begins at once. Close ends it.
func Watch(p Plan, sink Sink) *Watcher {
	w := &Watcher{
		sink: sink, machine: health.New(p.Settings), plan: map[string]Watched{}, askers: map[string]Asker{},
		calls: make(chan func(time.Time) health.Do, 16), answers: make(chan answer, 64), done: make(chan struct{}),
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	go w.run()
	w.Set(p)
	return w
}

// Set changes what is watched. Backends that stay keep their state, and are
// asked over new connections.
func (w *Watcher) Set(p Plan) {
	w.call(func(now time.Time) health.Do {
		w.ask = p.Ask
		for name, a := range w.askers {
			a.Close()
			delete(w.askers, name)
		}
		clear(w.plan)
		keys, modes := make([]string, len(p.Backends)), map[string]health.Mode{}
		for i, b := range p.Backends {
			w.plan[b.Key], keys[i], modes[b.Key] = b, b.Key, b.Mode
		}
		return w.machine.Set(p.Settings, keys, modes, now)
	})
}

// Suspect has a backend asked at once. It never blocks; when much is waiting
// the hint is dropped.
func (w *Watcher) Suspect(key string) {
	select {
	case w.calls <- func(now time.Time) health.Do { return w.machine.Suspect(key, now) }:
	default:
	}
}

// Close ends all checks and returns when they have ended.
func (w *Watcher) Close() {
	w.cancel()
	<-w.done
	w.running.Wait()
}

func (w *Watcher) call(f func(time.Time) health.Do) {
	select {
	case w.calls <- f:
	case <-w.ctx.Done():
	}
}

func (w *Watcher) run() {
	defer close(w.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-w.ctx.Done():
			for _, a := range w.askers {
				a.Close()
			}
			return
		case f := <-w.calls:
			w.listen()
			w.follow(f(time.Now()))
		case a := <-w.answers:
			w.take(a)
		case <-timer.C:
			// Answers that are already here count before the time does.
			for range len(w.answers) {
				w.take(<-w.answers)
			}
			w.listen()
			w.follow(w.machine.Tick(time.Now()))
		}
		timer.Reset(time.Until(w.machine.Due()))
	}
}

func (w *Watcher) take(a answer) {
	w.sink.Answered(a.question.Backend, a.answer, a.took)
	w.listen()
	w.follow(w.machine.Answer(a.question.ID, a.answer, time.Now()))
}

// listenEvery bounds how often the kernel is asked, which costs a system call for
// each connection.
const listenEvery = 20 * time.Millisecond

// listen tells the machine who has given a sign of life, of those that it
// waits for.
func (w *Watcher) listen() {
	now := time.Now()
	if now.Sub(w.listened) < listenEvery {
		return
	}
	for key, a := range w.askers {
		if !w.machine.Overdue(key, now) {
			continue
		}
		w.listened = now
		host, server := a.Heard()
		w.machine.Heard(key, host, server)
	}
}

func (w *Watcher) follow(do health.Do) {
	for _, q := range do.Ask {
		a := w.asker(q.Backend)
		w.running.Go(func() {
			begun := time.Now()
			got := answer{question: q, answer: a.Ask(w.ctx, q)}
			got.took = time.Since(begun)
			select {
			case w.answers <- got:
			case <-w.ctx.Done():
			}
		})
	}
	w.sink.Checked(w.machine.Views(), do, w.machine.Lags())
}

func (w *Watcher) asker(key string) Asker {
	if a := w.askers[key]; a != nil {
		return a
	}
	a := w.ask(Target{Backend: w.plan[key].Backend, Lost: func() { w.Suspect(key) }, Interval: w.machine.Interval()})
	w.askers[key] = a
	return a
}
