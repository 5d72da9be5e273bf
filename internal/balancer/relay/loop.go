package relay

import (
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Loops is how many goroutines move the bytes.
const Loops = 2 // as many as listeners share an address

const (
	mostReady = 128 // events in one answer of the kernel
	moment    = 1   // of waiting, in milliseconds

	// A loop is busy if in so long it waited more often than once in seldom.
	count, seldom = 10 * time.Millisecond, 500 * time.Microsecond

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

	// bell is an epoll that Go's netpoll waits for: while rung, it is ready when epoll is.
	bell   int
	poller syscall.RawConn // the same
	rung   bool            // used by run only, as what follows

	since time.Time // the waits were counted since then
	waits int
	many  bool // there were many before that

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

func newLoop() (*loop, error) {
	l := &loop{}
	for _, fd := range []*int{&l.epoll, &l.bell} {
		var err error
		if *fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
			return nil, err
		}
	}
	if err := unix.EpollCtl(l.bell, unix.EPOLL_CTL_ADD, l.epoll, &unix.EpollEvent{}); err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(l.bell, true); err != nil { // else os does not poll it
		return nil, err
	}
	var err error
	l.poller, err = os.NewFile(uintptr(l.bell), "epoll").SyscallConn()
	return l, err
}

// someLoop takes the loops in turn.
func someLoop() (*loop, error) {
	begin.Do(func() {
		for i := range all {
			if all[i], failed = newLoop(); failed != nil {
				return
			}
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
		if woken && l.many {
			runtime.Gosched() // this goroutine is about to block its thread
		}
	}
}

// wait parks the goroutine until there are events, and asks the kernel itself while
// they come fast.
//
// A thread that sits in the kernel for long makes the scheduler's monitor poll for its
// processor: at a hundred requests a second that was most of the cost. Parking costs
// more where there are many: Go's netpoll is woken for each event. So it is told of
// them only while the loop is not busy.
func (l *loop) wait(events []unix.EpollEvent) int {
	if len(l.again) > 0 {
		return epollWait(l.epoll, events, 0)
	}
	timeout := 0
	if l.busy() {
		timeout = moment
		l.ring(false)
	}
	n := epollWait(l.epoll, events, timeout)
	if n == 0 {
		l.ring(true)
		err := l.poller.Read(func(uintptr) bool {
			n = epollWait(l.epoll, events, 0)
			return n > 0
		})
		if err != nil {
			panic("relay: wait for sockets: " + err.Error()) // its descriptor is never closed
		}
	}
	return n
}

// busy counts a wait, and says whether there were many lately.
func (l *loop) busy() bool {
	l.waits++
	if now := time.Now(); now.Sub(l.since) > count {
		l.many = time.Duration(l.waits)*seldom > now.Sub(l.since)
		l.since, l.waits = now, 0
	}
	return l.many
}

// ring chooses whether Go's netpoll is told of events. An event that is already there
// rings as well.
func (l *loop) ring(on bool) {
	if l.rung == on {
		return
	}
	e := unix.EpollEvent{}
	if on {
		e.Events = unix.EPOLLIN
	}
	if err := unix.EpollCtl(l.bell, unix.EPOLL_CTL_MOD, l.epoll, &e); err != nil {
		panic("relay: wait for sockets: " + err.Error())
	}
	l.rung = on
}

func (l *loop) move(p *Pair, s *Sock, event uint32) {
	if p.on(s, event) && !p.again {
		l.again, p.again = append(l.again, p), true
	}
}
