package relay

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// streaming: so many full reads in a row make a stream, which is spliced.
	streaming = 4
	// trickle: so many small pieces in a row end that.
	trickle      = 8
	trickleBytes = 16 << 10
	// halfClosed is how long the other direction may be silent once one has
	// ended. Kubernetes' clients close both.
	halfClosed = 30 * time.Second
)

// Counter counts bytes. It may be shared by many pairs.
type Counter = atomic.Int64

// Pair is two sockets and the bytes between them.
type Pair struct {
	Client, Server       *Sock
	FromClient, ToClient *Counter

	left  atomic.Int32 // directions that still run
	ended atomic.Bool
	done  func()
}

// Run moves bytes both ways until both directions have ended, one has failed,
// or Reset was called; then it calls done, once. It returns at once.
func (p *Pair) Run(done func()) {
	p.done = done
	p.left.Store(2)
	go newHalf(p, p.Client, p.Server, p.FromClient).run()
	go newHalf(p, p.Server, p.Client, p.ToClient).run()
}

// Reset ends both connections at once.
func (p *Pair) Reset() {
	if p.ended.CompareAndSwap(false, true) {
		p.Client.Reset()
		p.Server.Reset()
	}
}

// Close ends both connections in order.
func (p *Pair) Close() {
	if p.ended.CompareAndSwap(false, true) {
		p.Client.Close()
		p.Server.Close()
	}
}

// half is one direction.
type half struct {
	pair     *Pair
	from, to *Sock
	count    *Counter

	readable, writable func(uintptr) bool
	buf                []byte // nil while nothing waits to be written
	rest               []byte // what of it is not written yet
	pipe               *pipe
	piped              int   // bytes in the pipe
	moved              int64 // bytes passed on
	full, little       int
	errno              syscall.Errno
	ended              bool
}

func newHalf(p *Pair, from, to *Sock, count *Counter) *half {
	h := &half{pair: p, from: from, to: to, count: count}
	h.readable, h.writable = h.onReadable, h.onWritable
	return h
}

func (h *half) run() {
	err := h.move()
	h.release()
	p := h.pair
	if err != nil {
		p.Reset()
	} else if p.left.Load() > 1 {
		h.to.shut()
		h.to.SetDeadline(time.Now().Add(halfClosed))
	}
	if p.left.Add(-1) > 0 {
		return
	}
	p.Close()
	p.done()
}

// move returns nil at the end of the stream.
func (h *half) move() error {
	var last int64
	for {
		if err := first(h.from.raw.Read(h.readable), h.errno); err != nil {
			// A direction that still moves bytes when the other has ended may go on.
			if errors.Is(err, os.ErrDeadlineExceeded) && h.moved != last {
				last = h.moved
				h.from.SetDeadline(time.Now().Add(halfClosed))
				continue
			}
			return err
		}
		if h.ended {
			return nil
		}
		if err := first(h.to.raw.Write(h.writable), h.errno); err != nil {
			return err
		}
	}
}

// onReadable takes a buffer or a pipe, and gives it back when there is nothing
// to read, so that idle connections hold none.
func (h *half) onReadable(fd uintptr) bool {
	if h.full >= streaming {
		if h.pipe == nil {
			h.pipe = takePipe()
		}
		if h.pipe != nil {
			return h.pull(fd)
		}
	}
	h.buf = take()
	n, errno := read(fd, h.buf)
	h.errno = errno
	switch {
	case errno != 0:
		h.release()
		return errno != unix.EAGAIN
	case n == 0:
		h.release()
		h.ended = true
	case n == len(h.buf):
		h.full++
	default:
		h.full = 0
	}
	h.rest = h.buf[:n]
	return true
}

// pull splices from the socket into the empty pipe.
func (h *half) pull(fd uintptr) bool {
	n, errno := splice(fd, uintptr(h.pipe.w), h.pipe.size)
	h.errno = errno
	if errno != 0 || n == 0 {
		h.release()
		h.ended = errno == 0
		return errno != unix.EAGAIN
	}
	h.piped = n
	if n >= trickleBytes {
		h.little = 0
	} else if h.little++; h.little >= trickle {
		h.full, h.little = 0, 0
	}
	return true
}

func (h *half) onWritable(fd uintptr) bool {
	for len(h.rest) > 0 {
		n, errno := write(fd, h.rest)
		if h.errno = errno; errno != 0 {
			return errno != unix.EAGAIN
		}
		h.counted(n)
		h.rest = h.rest[n:]
	}
	for h.piped > 0 {
		n, errno := splice(uintptr(h.pipe.r), fd, h.piped)
		if h.errno = errno; errno != 0 {
			return errno != unix.EAGAIN
		}
		h.counted(n)
		h.piped -= n
	}
	if h.buf != nil {
		give(h.buf)
		h.buf, h.rest = nil, nil
	}
	if h.pipe != nil && h.full < streaming {
		h.release()
	}
	return true
}

func (h *half) counted(n int) {
	h.moved += int64(n)
	h.count.Add(int64(n))
}

func (h *half) release() {
	if h.buf != nil {
		give(h.buf)
		h.buf, h.rest = nil, nil
	}
	if h.pipe != nil {
		givePipe(h.pipe, h.piped == 0)
		h.pipe, h.piped = nil, 0
	}
}
