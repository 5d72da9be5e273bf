package relay

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Loops is how many goroutines move the bytes.
const Loops = 2 // as many as listeners share an address

const (
	mostReady = 128 // events in one answer of the kernel
	moment    = 1   // of waiting, in milliseconds

	// edges are what is waited for. EPOLLOUT only joins them once a write found no
	// room: nearly every new socket has room, and would say so.
	edges = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET
	broke = unix.EPOLLHUP | unix.EPOLLERR
)

// loop waits for the events of many sockets with an epoll of its own, and moves
// the bytes of their pairs itself. With Go's netpoll each event would wake a
// goroutine.
type loop struct {
	epoll int

	mu    sync.Mutex
	socks []*Sock // by descriptor

	again []*Pair // had more to move than is fair; used by run only
}

var (
	begin  sync.Once
	all    [Loops]*loop
	next   atomic.Uint32
	failed error
)

// someLoop takes the loops in turn.
func someLoop() (*loop, error) {
	begin.Do(func() {
		for i := range all {
			fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
			if err != nil {
				failed = err
				return
			}
			all[i] = &loop{epoll: fd}
			go all[i].run()
		}
	})
	return all[next.Add(1)%Loops], failed
}

// add begins to watch a socket.
func (l *loop) add(s *Sock) error {
	l.mu.Lock()
	if more := s.fd + 1 - len(l.socks); more > 0 {
		l.socks = append(l.socks, make([]*Sock, more)...)
	}
	l.socks[s.fd] = s
	l.mu.Unlock()
	err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, s.fd, &unix.EpollEvent{Events: edges, Fd: int32(s.fd)})
	if err != nil {
		l.remove(s)
	}
	return err
}

// remove comes before the descriptor is closed, which ends the watching.
func (l *loop) remove(s *Sock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.socks[s.fd] = nil
}

func (l *loop) run() {
	var events [mostReady]unix.EpollEvent
	var socks [mostReady]*Sock
	for {
		n := l.wait(events[:])
		l.mu.Lock()
		for i, e := range events[:n] {
			socks[i] = l.socks[e.Fd]
		}
		l.mu.Unlock()
		woken := false
		for i, s := range socks[:n] {
			// An event of a descriptor's previous socket does no harm.
			if s == nil {
				continue
			}
			p, waits := s.event(events[i].Events)
			if p != nil {
				l.move(p, s, events[i].Events)
			}
			woken = woken || waits
		}
		clear(socks[:n])
		for range len(l.again) {
			p := l.again[0]
			l.again, p.again = slices.Delete(l.again, 0, 1), false
			l.move(p, nil, 0)
		}
		if woken {
			runtime.Gosched() // this goroutine is about to block its thread
		}
	}
}

// wait first waits a moment without telling Go's scheduler, since events come
// fast while there is work. Told of each wait, the scheduler would take the
// processor away and its monitor would poll: a tenth of a small request's cost.
func (l *loop) wait(events []unix.EpollEvent) int {
	timeout := moment
	if len(l.again) > 0 {
		timeout = 0
	}
	if n := epollWait(l.epoll, events, timeout); n > 0 || timeout == 0 {
		return n
	}
	n, err := unix.EpollWait(l.epoll, events, -1)
	if err != nil {
		return 0 // EINTR
	}
	return n
}

func (l *loop) move(p *Pair, s *Sock, event uint32) {
	if p.on(s, event) && !p.again {
		l.again, p.again = append(l.again, p), true
	}
}
