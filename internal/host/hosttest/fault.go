package hosttest

import (
	"context"

	"quorate.dev/quorate/internal/host"
)

// When says on which side of a call's effect it fails.
type When int

const (
	Before When = iota // nothing was done
	After              // it was done, and nobody heard of it
)

type fault struct {
	nth  int
	when When
	err  error
}

// FailNth lets the nth call from now (1 is the next) fail once. A nil error is
// a lost connection.
func (f *Fake) FailNth(n int, when When, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		err = host.Errorf(f.name, "connection lost: %w", host.ErrUnreachable)
	}
	f.faults = append(f.faults, &fault{n, when, err})
}

// Down lets every call fail until Up. A nil error is an unreachable host.
func (f *Fake) Down(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		err = host.Errorf(f.name, "connect: %w", host.ErrUnreachable)
	}
	f.down = err
}

// Up ends Down.
func (f *Fake) Up() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = nil
}

// call records a call and does it, unless it shall fail.
func (f *Fake) call(ctx context.Context, c Call, do func() error) error {
	i, before, after := f.begin(ctx, c)
	err := before
	if err == nil {
		err = do()
	}
	if after != nil {
		err = after
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[i].Err = err
	return err
}

// begin takes the call's number and the faults that are due.
func (f *Fake) begin(ctx context.Context, c Call) (i int, before, after error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
	for _, x := range f.faults {
		x.nth--
		switch {
		case x.nth != 0:
		case x.when == Before:
			before = x.err
		default:
			after = x.err
		}
	}
	switch {
	case ctx.Err() != nil:
		before = host.Errorf(f.name, "%s: %w", c.Op, ctx.Err())
	case f.closed:
		before = host.Errorf(f.name, "connection was closed by us")
	case f.down != nil:
		before = f.down
	}
	if before != nil {
		after = nil
	}
	return len(f.calls) - 1, before, after
}
