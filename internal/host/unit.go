package host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed unit.sh
var unitScript string

var unitForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,200}$`)

// runUnit runs a command as quorate-<Unit>.service and waits for it.
func (h *sshHost) runUnit(ctx context.Context, c Cmd) (Result, error) {
	what := c.label()
	if !unitForm.MatchString(c.Unit) {
		return Result{}, Errorf(h.cfg.Name, "run %s: %q cannot name a unit: use letters, digits, '.', '_' and '-'", what, c.Unit)
	}
	began, unit := time.Now(), "quorate-"+c.Unit
	limit := 0
	if end, ok := ctx.Deadline(); ok {
		limit = max(1, int(time.Until(end).Seconds())+1)
	}
	// The command is shell text in a file: no quoting by systemd, no limit on
	// its length, nothing of it in the unit's properties.
	command := `: >"$1/began"; cd /; exec <"$1/in" >"$1/out" 2>"$1/err"; exec env LC_ALL=C HOME=/root PATH=` +
		quoteAll(append([]string{h.cfg.test.path}, c.Args...)) + "\n"
	input, given := io.Reader(strings.NewReader(command)), "no"
	if c.Stdin != nil {
		input, given = io.MultiReader(input, c.Stdin), "yes"
	}
	text := "set -- " + quoteAll([]string{unit, h.cfg.test.root + folders.Run, strconv.Itoa(limit), strconv.Itoa(len(command)), given}) +
		"\n" + Safe + unitScript
	live := newTalk()
	// Past the deadline this session is left to end by itself: what it waits
	// for is stopped below.
	answer, err := h.script(ctx, what, text, input, live)
	var exit *ExitError
	switch {
	case err == nil:
		return h.unitResult(c, answer)
	case errors.As(err, &exit):
		return Result{}, Errorf(h.cfg.Name, "start unit %s: %w: does the host run systemd?", unit, exit)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return Result{}, h.unitTimedOut(ctx, c, unit, live, began)
	case errors.Is(err, ErrUnreachable) && live.said("state", "started"):
		return Result{}, fmt.Errorf("%w; unit %s goes on there, and the next run waits for it", err, unit)
	case ctx.Err() != nil && live.said("state", "started"):
		return Result{}, fmt.Errorf("%w; unit %s goes on there: wait for it, or systemctl stop %s", err, unit, unit)
	}
	return Result{}, err
}

// unitTimedOut stops the unit, when it is ours.
func (h *sshHost) unitTimedOut(ctx context.Context, c Cmd, unit string, live *talk, began time.Time) error {
	err := cutShort(ctx, h.cfg.Name, c.label(), began)
	if !live.said("state", "started") && live.said("state", "wait") {
		return fmt.Errorf("%w: an earlier run still goes on as unit %s: see systemctl status %s, or stop it", err, unit, unit)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	_, serr := h.exec(ctx, call{argv: []string{"systemctl", "stop", unit + ".service"}, what: "stop unit " + unit})
	var exit *ExitError
	if errors.As(serr, &exit) && strings.Contains(exit.Stderr, "not loaded") {
		serr = nil // RuntimeMaxSec was faster
	}
	if serr != nil {
		return fmt.Errorf("%w; stopping it failed too: %w", err, serr)
	}
	return fmt.Errorf("%w; unit %s was stopped", err, unit)
}

// unitResult takes apart what unit.sh printed.
func (h *sshHost) unitResult(c Cmd, a Answer) (Result, error) {
	var res Result
	res.Stdout, _ = a.Part("stdout")
	res.Stderr, _ = a.Part("stderr")
	return res, h.unitExit(c, strings.Fields(a.Text("result")), res)
}

// unitExit judges systemd's words: EXIT_CODE, EXIT_STATUS, SERVICE_RESULT.
func (h *sshHost) unitExit(c Cmd, f []string, res Result) error {
	if len(f) != 3 {
		return Errorf(h.cfg.Name, "%s: the unit ended as %q", c.label(), f)
	}
	e := &ExitError{Host: h.cfg.Name, Args: c.Args, Stderr: string(res.Stderr)}
	if c.Secret {
		e.Args, e.Stderr = c.Args[:1], ""
	}
	code, err := strconv.Atoi(f[1])
	switch {
	case f[2] == "timeout":
		return Errorf(h.cfg.Name, "%s: timed out, the unit was stopped: %w", c.label(), context.DeadlineExceeded)
	case f[0] == "exited" && err == nil && code == 0:
		return nil
	case f[0] == "exited" && err == nil:
		e.Code = code
	default: // killed or dumped, by a signal told by name; as a shell counts
		e.Code = 128 + signals[f[1]]
		return fmt.Errorf("%w (%s by SIG%s, %s)", e, f[0], f[1], f[2])
	}
	return e
}

var signals = map[string]int{
	"HUP": int(syscall.SIGHUP), "INT": int(syscall.SIGINT), "QUIT": int(syscall.SIGQUIT), "ABRT": int(syscall.SIGABRT),
	"KILL": int(syscall.SIGKILL), "SEGV": int(syscall.SIGSEGV), "PIPE": int(syscall.SIGPIPE), "TERM": int(syscall.SIGTERM),
}
