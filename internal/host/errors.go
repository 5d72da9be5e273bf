package host

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"quorate.dev/quorate/internal/plain"
)

// ErrUnreachable is in every error that means "could not ask": no connection
// could be made, or it broke before the answer was complete.
var ErrUnreachable = errors.New("host unreachable")

// unreachable is ErrUnreachable of one host.
type unreachable struct{ host string }

func (u unreachable) Error() string { return ErrUnreachable.Error() }

// Is makes it the general error to errors.Is.
func (u unreachable) Is(target error) bool { return target == ErrUnreachable }

// Unreachable names the host that an error says could not be reached; "" when it
// says that of none. It may be another than the one that was meant: a step asks
// others too.
func Unreachable(err error) string {
	var u unreachable
	if errors.As(err, &u) {
		return u.host
	}
	return ""
}

// Error is an error of one host.
type Error struct {
	Host string
	Err  error
	away error // an unreachable: it means "could not ask"
}

// Errorf makes an Error. The format is without the host.
func Errorf(host, format string, args ...any) error {
	return &Error{Host: host, Err: fmt.Errorf(format, args...)}
}

// Error is one line, which begins with the host.
func (e *Error) Error() string {
	s := e.Host + ": " + e.Err.Error()
	if e.away != nil {
		s += " (" + e.away.Error() + ")"
	}
	return s
}

// Unwrap gives the errors inside.
func (e *Error) Unwrap() []error {
	if e.away == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.away}
}

// Reason is an error's text, for a line that names its host already and says
// whether that could be reached.
func Reason(err error, host string) string {
	switch e := err.(type) { // an error around it has words of its own before the host's name
	case *Error:
		if e.Host == host {
			return e.Err.Error()
		}
	case *ExitError:
		if e.Host == host {
			return e.reason()
		}
	case *TooMuchError:
		if e.Host == host {
			return e.reason()
		}
	}
	return err.Error()
}

// Error is one short line; Stderr has the rest.
func (e *ExitError) Error() string {
	return e.Host + ": " + e.reason()
}

func (e *ExitError) reason() string {
	s := fmt.Sprintf("%s: exit status %d", label(e.Args, false), e.Code)
	if l := lastLine(e.Stderr); l != "" {
		s += ": " + l
	}
	return s
}

// label names a command in an error: short, and without its arguments when
// they are secret.
func label(args []string, secret bool) string {
	if len(args) == 0 {
		return "(no command)"
	}
	if secret {
		return path.Base(args[0])
	}
	s := path.Base(args[0])
	if len(args) > 1 {
		s += " " + strings.Join(strings.Fields(strings.Join(args[1:], " ")), " ")
	}
	return clip(s, 80)
}

// lastLine is the last line that says something, fit for a terminal.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return plain.Line(clip(strings.TrimSpace(s[strings.LastIndexByte(s, '\n')+1:]), 300))
}

// reported is an error in whose text the host has a say.
type reported struct{ error }

func (r reported) Error() string { return plain.Line(clip(r.error.Error(), 500)) }

func (r reported) Unwrap() error { return r.error }

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// cutShort is the error of a call that its context ended. What ran may go on
// for a moment, so nothing is claimed about it.
func cutShort(ctx context.Context, host, what string, began time.Time) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return Errorf(host, "%s: timed out after %s: %w", what, time.Since(began).Round(100*time.Millisecond), ctx.Err())
	}
	return Errorf(host, "%s: %w", what, ctx.Err())
}

// lost is the error of a call whose connection broke.
func lost(host, what string, cause error) error {
	return Errorf(host, "%s: connection lost before the answer (%v); whether it was done is unknown, run it again: %w", what,
		reported{cause}, unreachable{host})
}
