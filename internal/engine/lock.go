package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/user"
	"slices"
	"sync"
	"time"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/spec"
)

const (
	// lockBeat is how often the holder shows that it lives; after four beats
	// in silence the host lets the lock go, be the network cut or the holder dead.
	lockBeat = 5 * time.Second
	// lockWait bounds one attempt on one host.
	lockWait = 8 * time.Second
	// lockTaken is the exit status that says who holds it, on stdout.
	lockTaken = 75
)

// lockScript holds the lock for as long as bytes come on stdin (not newlines,
// which a shell drops). What it starts
// does not inherit the lock. Nobody but root may open the file: whoever can,
// can hold it. $1: folder, $2: info, $3: seconds of silence.
const lockScript = `umask 077; mkdir -p "$1" && chmod 0700 "$1" || exit 1
if [ -L "$1/lock" ] || { [ -e "$1/lock" ] && [ ! -f "$1/lock" ]; }; then rm -f "$1/lock"; fi
exec 9>>"$1/lock" && chmod 0600 "$1/lock" || exit 1
flock -n 9 || { frame holder; [ ! -f "$1/lock.info" ] || cat "$1/lock.info" 2>/dev/null; frame_end; exit 75; }
[ "/proc/$$/fd/9" -ef "$1/lock" ] || { echo "$1/lock was replaced meanwhile: run it again" >&2; exit 1; }
rm -f "$1/lock.info.new"
printf '%s\n' "$2" >"$1/lock.info.new" && mv -T "$1/lock.info.new" "$1/lock.info" || exit 1
while [ -n "$(exec timeout "$3" head -c 1 9>&-)" ]; do :; done
rm -f "$1/lock.info"; frame released; frame_end`

// lockSeen waits until the info of a run stands there. $1: folder, $2: run.
const lockSeen = `i=0; until grep -q "\"run\":\"$2\"" "$1/lock.info" 2>/dev/null; do i=$((i+1)); [ $i -lt 100 ] || exit 1; sleep 0.05; done; frame held; frame_end`

// Holder is who holds a cluster's lock.
type Holder struct {
	Who   string    `json:"who"` // user@machine
	Doing string    `json:"doing"`
	Run   string    `json:"run"`
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

// Held says that somebody else is working on the cluster.
type Held struct {
	Host model.HostID
	By   Holder
}

func (h Held) Error() string {
	if h.By.Who == "" {
		return fmt.Sprintf("%s: somebody else is working on this cluster; to see who, run there: fuser -v %s/lock", h.Host, layout.Quorate().Run)
	}
	return fmt.Sprintf("%s: %s is working on this cluster: %s (run %s, process %d) since %s", h.Host, h.By.Who, h.By.Doing, h.By.Run, h.By.PID,
		h.By.Since.Local().Format("2006-01-02 15:04:05"))
}

// LockLostError ends a run that held the lock until somebody else took it: the run
// was silent for too long, or its connection broke.
type LockLostError struct{ Held }

func (l LockLostError) Error() string {
	return "the lock was lost in the middle of this run: " + l.Held.Error()
}

// Unwrap gives who holds it now.
func (l LockLostError) Unwrap() error { return l.Held }

// Lock takes the cluster's lock on every control plane that can be reached.
// The returned context ends when a lock was lost to somebody else; its cause
// is then a LockLostError. A host that does not answer is passed over, and taken as
// soon as it comes back; with none at all there is no lock.
func (e *Engine) Lock(ctx context.Context, doing string) (context.Context, func(), error) {
	return e.lock(ctx, doing, layout.Quorate().Run, lockBeat)
}

func (e *Engine) lock(ctx context.Context, doing, dir string, beat time.Duration) (context.Context, func(), error) {
	locked, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	release := func() {
		cancel(context.Canceled)
		wg.Wait()
	}
	info, err := json.Marshal(Holder{Who: whoami(), Doing: doing, Run: e.run, PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return ctx, release, err
	}
	hosts := e.lockHosts()
	// Who is lost is not waited for; it is locked when it comes back.
	waits := slices.DeleteFunc(slices.Clone(hosts), func(h host.Host) bool { return e.observer.Sought(model.HostID(h.Name())) })
	if len(waits) == 0 {
		waits = hosts
	}
	first := make(chan error, len(hosts))
	for _, h := range hosts {
		first := first
		if !slices.Contains(waits, h) {
			first = make(chan error, 1)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			l := &lock{host: h, run: e.run, dir: dir, info: string(info), beat: beat}
			l.keep(locked, first, cancel)
		}()
	}
	got := 0
	var last error
	for range waits {
		err := <-first
		var held Held
		switch {
		case err == nil:
			got++
		case errors.As(err, &held):
			release()
			return ctx, func() {}, held
		default:
			last = err
		}
	}
	if got == 0 {
		release()
		if ctx.Err() != nil {
			return ctx, func() {}, ctx.Err()
		}
		return ctx, func() {}, fmt.Errorf("take the cluster's lock: no control plane could be asked: %w", last)
	}
	return locked, release, nil
}

// lockHosts are the connected control planes.
func (e *Engine) lockHosts() []host.Host {
	var out []host.Host
	for _, id := range slices.Sorted(maps.Keys(e.observer.Hosts)) {
		if h, named := e.observer.File.Host(string(id)); named && h.Has(spec.RoleControlPlane) {
			out = append(out, e.observer.Hosts[id])
		}
	}
	return out
}

// lock is the lock on one host.
type lock struct {
	host           host.Host
	run, dir, info string
	beat           time.Duration
}

// keep holds the lock until ctx ends, and takes it again when the connection
// broke. How the first attempt went is told on first; that it was lost to
// somebody else, by lost.
func (l *lock) keep(ctx context.Context, first chan<- error, lost context.CancelCauseFunc) {
	told := false
	tell := func(err error) {
		if !told {
			told = true
			first <- err
		}
	}
	begun := time.Now()
	for ctx.Err() == nil {
		err := l.hold(ctx, func() { tell(nil) })
		var held Held
		if errors.As(err, &held) && held.By.Run != l.run && !told && time.Since(begun) < l.beat/2 {
			time.Sleep(l.beat / 20) // a run that was just killed lets go in a moment
			continue
		}
		if errors.As(err, &held) && held.By.Run != l.run {
			if told {
				lost(LockLostError{held})
			}
			tell(held)
			return
		}
		if !errors.As(err, &held) { // our own, not yet ended there: try again
			tell(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(l.beat / 2):
		}
	}
	tell(ctx.Err())
}

// hold takes the lock and holds it until ctx or the connection ends.
func (l *lock) hold(ctx context.Context, holding func()) error {
	out, in := io.Pipe()
	defer in.Close()
	end := make(chan error, 1)
	silence := fmt.Sprint(max(1, int((4 * l.beat).Seconds())))
	go func() {
		// Not ctx: it ends by the end of its input, and takes the info away.
		said, err := host.Ask(context.WithoutCancel(ctx), l.host, host.Script{What: "hold the lock", Text: lockScript,
			Args: []string{l.dir, l.info, silence}, Stdin: out})
		out.CloseWithError(io.ErrClosedPipe)
		var exit *host.ExitError
		if errors.As(err, &exit) && exit.Code == lockTaken {
			held := Held{Host: model.HostID(l.host.Name())}
			_ = json.Unmarshal([]byte(said.Text("holder")), &held.By) // nothing readable: somebody
			err = held
		}
		end <- err
	}()
	seen := make(chan error, 1)
	ask, stop := context.WithTimeout(ctx, lockWait)
	defer stop()
	go func() {
		_, err := host.Ask(ask, l.host, host.Script{What: "see who holds the lock", Text: lockSeen, Args: []string{l.dir, l.run}})
		seen <- err
	}()
	go l.beats(ctx, in)
	for {
		select {
		case err := <-end:
			return err
		case err := <-seen:
			if err != nil {
				return err
			}
			holding()
			seen = nil
		case <-ctx.Done():
			in.Close()
			if seen != nil {
				return ctx.Err() // nothing is held yet, and it will not begin
			}
			select {
			case <-end:
			case <-time.After(2 * time.Second): // it lets go by itself
			}
			return ctx.Err()
		}
	}
}

// beats shows that the holder lives, until the pipe is closed.
func (l *lock) beats(ctx context.Context, in *io.PipeWriter) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(l.beat):
			if _, err := in.Write([]byte{'.'}); err != nil {
				return
			}
		}
	}
}

func whoami() string {
	name, machine := "somebody", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		machine = h
	}
	return name + "@" + machine
}
