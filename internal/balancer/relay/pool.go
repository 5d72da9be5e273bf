package relay

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	large = 64 << 10
	small = 4 << 10
	// mostLarge bounds the large buffers in use, and with them the memory that
	// clients which do not read can take: beyond it, buffers are small.
	mostLarge = 512
	// pipeSize is what a pipe of a stream holds; mostPipes of them may exist.
	pipeSize  = 256 << 10
	mostPipes = 64
)

var (
	largeInUse atomic.Int64
	larges     = sync.Pool{New: func() any { return new([large]byte) }}
	smalls     = sync.Pool{New: func() any { return new([small]byte) }}
)

// take gets a buffer; give takes it back.
func take() []byte {
	if largeInUse.Add(1) > mostLarge {
		largeInUse.Add(-1)
		return smalls.Get().(*[small]byte)[:]
	}
	return larges.Get().(*[large]byte)[:]
}

func give(b []byte) {
	if cap(b) == large {
		largeInUse.Add(-1)
		larges.Put((*[large]byte)(b[:large]))
		return
	}
	smalls.Put((*[small]byte)(b[:small]))
}

// pipe is empty whenever it is in the pool.
type pipe struct{ r, w, size int }

var pipes struct {
	sync.Mutex
	idle []*pipe
	all  int
}

// takePipe returns nil when there are enough; bytes are then copied.
func takePipe() *pipe {
	pipes.Lock()
	defer pipes.Unlock()
	if n := len(pipes.idle); n > 0 {
		p := pipes.idle[n-1]
		pipes.idle = pipes.idle[:n-1]
		return p
	}
	if pipes.all >= mostPipes {
		return nil
	}
	var fds [2]int
	if unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC) != nil {
		return nil
	}
	p := &pipe{fds[0], fds[1], large}
	if n, err := unix.FcntlInt(uintptr(p.w), unix.F_SETPIPE_SZ, pipeSize); err == nil {
		p.size = n
	}
	pipes.all++
	return p
}

// givePipe takes a pipe back; one that still holds bytes is closed.
func givePipe(p *pipe, empty bool) {
	pipes.Lock()
	defer pipes.Unlock()
	if empty && len(pipes.idle) < mostPipes/4 {
		pipes.idle = append(pipes.idle, p)
		return
	}
	pipes.all--
	unix.Close(p.r)
	unix.Close(p.w)
}
