package relay

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// streaming: so many full reads in a row make a stream, which is spliced.
	streaming = 4
	// trickle: so many small pieces in a row end that.
	trickle      = 8
	trickleBytes = 16 << 10
)

// half is one direction of a pair.
type half struct {
	from, to *Sock
	count    *Counter

	edge
	writable bool // as far as is known
	ended    bool // the end of the stream was read
	shut     bool // and passed on, or need not be

	full, little uint8
	buf          []byte // nil while nothing waits to be written
	rest         []byte // what of it is not written yet
	pipe         *pipe
	piped        int   // bytes in the pipe
	moved        int64 // bytes passed on
}

func (h *half) on(s *Sock, event uint32) {
	switch s {
	case h.from:
		h.edge.on(event)
	case h.to:
		h.writable = h.writable || event&goes != 0
	}
}

// move passes on what there is. more says that there is more than is fair. other
// is the other direction.
func (h *half) move(other *half) (more bool, errno syscall.Errno) {
	for range turn {
		if h.writable && (len(h.rest) > 0 || h.piped > 0) {
			if errno := h.write(); errno != 0 {
				return false, errno
			}
		}
		if len(h.rest) > 0 || h.piped > 0 {
			return false, 0 // until it is writable
		}
		if h.ended && !h.shut {
			h.shut = true
			if !other.shut { // else both are closed now
				_ = unix.Shutdown(h.to.fd, unix.SHUT_WR)
			}
		}
		if !h.readable || h.ended {
			h.release()
			return false, 0
		}
		if errno := h.read(); errno != 0 {
			return false, errno
		}
	}
	return true, 0
}

// read takes a buffer or a pipe. They are given back when there is nothing to
// read, so that idle connections hold none.
func (h *half) read() syscall.Errno {
	if h.full >= streaming {
		if h.pipe == nil {
			h.pipe = takePipe()
		}
		if h.pipe != nil {
			return h.pull()
		}
	}
	if h.buf == nil {
		h.buf = take()
	}
	n, errno := read(uintptr(h.from.fd), h.buf)
	h.edge.read(n, len(h.buf), errno)
	switch {
	case errno == unix.EAGAIN:
		return 0
	case errno != 0:
		return errno
	case n == 0:
		h.ended = true
	case n == len(h.buf):
		h.full = min(h.full+1, streaming)
	default:
		h.full = 0
	}
	h.rest = h.buf[:n]
	return 0
}

// pull splices from the socket into the empty pipe.
func (h *half) pull() syscall.Errno {
	n, errno := splice(uintptr(h.from.fd), uintptr(h.pipe.w), h.pipe.size)
	switch {
	case errno == unix.EAGAIN:
		h.edge = edge{}
		return 0
	case errno != 0:
		return errno
	case n == 0:
		h.ended = true
		return 0
	}
	h.piped = n
	if n >= trickleBytes {
		h.little = 0
	} else if h.little++; h.little >= trickle {
		h.full, h.little = 0, 0
	}
	return 0
}

// write writes what was read, as far as the socket takes it.
func (h *half) write() syscall.Errno {
	fd := uintptr(h.to.fd)
	for len(h.rest) > 0 {
		n, errno := write(fd, h.rest)
		if errno != 0 {
			return h.blocked(errno)
		}
		h.counted(n)
		h.rest = h.rest[n:]
	}
	for h.piped > 0 {
		n, errno := splice(uintptr(h.pipe.r), fd, h.piped)
		if errno != 0 {
			return h.blocked(errno)
		}
		h.counted(n)
		h.piped -= n
	}
	if h.pipe != nil && h.full < streaming {
		h.release()
	}
	return 0
}

func (h *half) blocked(errno syscall.Errno) syscall.Errno {
	if errno == unix.EAGAIN {
		h.writable = false
		h.to.full()
		return 0
	}
	return errno
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
