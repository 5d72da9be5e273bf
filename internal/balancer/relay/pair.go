package relay

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// halfClosed is how long the other direction may be silent once one has
	// ended. Kubernetes' clients close both.
	halfClosed = 30 * time.Second
	// turn is how many reads of one pair are done before others have theirs.
	turn = 16
)

// Counter counts bytes. It may be shared by many pairs.
type Counter = atomic.Int64

// Pair is two sockets and the bytes between them.
type Pair struct {
	Client, Server       *Sock
	FromClient, ToClient *Counter

	mu    sync.Mutex
	up    half // from the client
	down  half // to the client
	ended bool
	done  func()
	again bool        // the loop has it in its list of those
	quiet *time.Timer // runs when one direction has ended
	moved int64       // when quiet was set
}

// Run moves bytes both ways until both directions have ended, one has failed,
// or Reset was called; then it calls done, once. It returns at once.
func (p *Pair) Run(done func()) {
	p.mu.Lock()
	p.done = done
	if p.ended {
		p.mu.Unlock()
		done()
		return
	}
	p.up = half{from: p.Client, to: p.Server, count: p.FromClient, edge: p.Client.join(p), writable: true}
	p.down = half{from: p.Server, to: p.Client, count: p.ToClient, edge: p.Server.join(p), writable: true}
	p.mu.Unlock()
	if p.on(nil, 0) {
		p.Client.again()
		p.Server.again()
	}
}

// Moved is how many bytes have gone either way.
func (p *Pair) Moved() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up.moved + p.down.moved
}

// Reset ends both connections at once.
func (p *Pair) Reset() { p.finish(true) }

// Close ends both connections in order.
func (p *Pair) Close() { p.finish(false) }

func (p *Pair) finish(reset bool) {
	p.mu.Lock()
	done := p.endLocked(reset)
	p.mu.Unlock()
	if done != nil {
		done()
	}
}

// endLocked returns what is to be called once p is unlocked.
func (p *Pair) endLocked(reset bool) (done func()) {
	if p.ended {
		return nil
	}
	p.ended = true
	p.up.release()
	p.down.release()
	if p.quiet != nil {
		p.quiet.Stop()
	}
	p.Client.close(reset)
	p.Server.close(reset)
	return p.done
}

// on takes an event of one of the sockets up, and says whether there is more to
// move than one turn allows.
func (p *Pair) on(s *Sock, event uint32) (more bool) {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return false
	}
	if s != nil {
		p.up.on(s, event)
		p.down.on(s, event)
	}
	var done func()
	up, upErr := p.up.move(&p.down)
	down, downErr := p.down.move(&p.up)
	switch {
	case upErr != 0 || downErr != 0:
		done = p.endLocked(true)
	case p.up.shut && p.down.shut:
		done = p.endLocked(false)
	case (p.up.shut || p.down.shut) && p.quiet == nil:
		p.moved = p.up.moved + p.down.moved
		p.quiet = time.AfterFunc(halfClosed, p.silent)
	}
	more = (up || down) && !p.ended
	p.mu.Unlock()
	if done != nil {
		done()
	}
	return more
}

// silent: one direction has ended, and halfClosed is over. A direction that
// still moves bytes may go on.
func (p *Pair) silent() {
	p.mu.Lock()
	if moved := p.up.moved + p.down.moved; moved != p.moved && !p.ended {
		p.moved = moved
		p.quiet.Reset(halfClosed)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	p.Reset()
}

const (
	gone  = unix.EPOLLRDHUP | broke
	comes = unix.EPOLLIN | gone
	goes  = unix.EPOLLOUT | broke
)
