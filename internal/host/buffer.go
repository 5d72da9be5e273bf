package host

import (
	"bytes"
	"fmt"
	"sync"
)

// How much of a command's output is read. A host that says more is broken, or
// means to fill our memory.
const (
	maxStdout = 32 << 20
	maxStderr = 1 << 20
)

// A command may complain more than maxStderr, but not without an end.
const maxDropped = 32 << 20

// TooMuchError is an answer that was larger than what is read of one. The
// command was ended, and nothing of the answer counts.
type TooMuchError struct {
	Host, What string
	Most       int // bytes
}

func (e *TooMuchError) Error() string {
	return e.Host + ": " + e.reason()
}

func (e *TooMuchError) reason() string {
	return fmt.Sprintf("%s: answered with more than %d MiB, the most that is read of one answer; it was ended", e.What, e.Most>>20)
}

// buffer collects output while others may look at it, up to a limit.
type buffer struct {
	most int           // bytes; 0: maxStdout
	drop int           // so much more is dropped before it counts as full
	full chan struct{} // closed when more came; nil: nobody waits

	mu      sync.Mutex
	b       bytes.Buffer
	over    bool
	dropped int
}

// Write drops what is too much. It fails once full has said so, so that nobody
// reads on.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	most := b.most
	if most == 0 {
		most = maxStdout
	}
	room := most - b.b.Len()
	b.b.Write(p[:min(room, len(p))])
	if len(p) <= room {
		return len(p), nil
	}
	b.over, b.dropped = true, b.dropped+len(p)-room
	if b.full == nil || b.dropped <= b.drop {
		return len(p), nil
	}
	select {
	case <-b.full:
	default:
		close(b.full)
	}
	return 0, errEnough
}

// Bytes is a copy of what there is so far.
func (b *buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.b.Bytes())
}

// isFull says that its command had to be ended.
func (b *buffer) isFull() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.full != nil && b.dropped > b.drop
}

func (b *buffer) isOver() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.over
}

// complaint is stderr: its beginning, and that there was more.
func (b *buffer) complaint() []byte {
	out := b.Bytes()
	if b.isOver() {
		out = append(out, fmt.Sprintf("\n(more than %d MiB; the rest was dropped)\n", b.most>>20)...)
	}
	return out
}
