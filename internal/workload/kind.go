package workload

import (
	"context"
	"fmt"
	"strings"

	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
)

// Kind is one way to run components on hosts. What it does there it gives as
// shell text, so that much can be done in one round trip.
type Kind interface {
	// Path is where the definition of a service lies.
	Path(name string) string
	// Stamped is the definition with the stamp, by which the running process
	// tells what it has read.
	Stamped(s Service, stamp string) string
	// Begin is done once for all services before Apply, after their files have
	// been written.
	Begin(names []string) string
	// Apply brings what was written into effect.
	Apply(s Service, c Change) string
	// SetOverridesAside moves what others have laid over the definition, and
	// what changes the command, below the folder $k. It prints two lines for
	// each: where it lay, and where it is kept.
	SetOverridesAside(name string) string
	// Diagnose prints what the host says of a service that does not come up.
	Diagnose(name string) string
}

// Change is what a service needs after its files have been written.
type Change int

// The changes, from the least on.
const (
	Keep    Change = iota // the running process has read all that matters
	Reload                // it reads its files again without an end
	Restart               // it begins anew, or for the first time
)

// After is the least that brings a service to what is wanted.
func (s Service) After(running, current bool) Change {
	switch {
	case current:
		return Keep
	case s.Reload && running:
		return Reload
	}
	return Restart
}

// Job is a service whose files were written, and what it needs now.
type Job struct {
	Service
	Change
}

// Apply brings services of one host into effect, in their order. It waits for
// none of them.
func Apply(ctx context.Context, h host.Host, jobs []Job) error {
	var text strings.Builder
	var kinds []Kind
	names := map[Kind][]string{}
	for _, j := range jobs {
		k := j.kind()
		if j.Found {
			continue // whether it starts with the host is not ours to change
		}
		if names[k] == nil {
			kinds = append(kinds, k)
		}
		names[k] = append(names[k], j.Name)
	}
	for _, k := range kinds {
		text.WriteString(k.Begin(names[k]))
	}
	for _, j := range jobs {
		text.WriteString(j.kind().Apply(j.Service, j.Change))
	}
	_, err := sh(ctx, h, text.String())
	return err
}

// Moved is a file that was set aside.
type Moved struct{ From, To string }

// SetOverridesAside moves aside what gives a service another command than the
// wanted one.
func SetOverridesAside(ctx context.Context, h host.Host, s Service) (moved []Moved, err error) {
	out, err := sh(ctx, h, "k="+layout.Quorate().Kept+"/$(date -u +%Y%m%dT%H%M%SZ)\n"+s.kind().SetOverridesAside(s.Name))
	lines := strings.Split(out, "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		moved = append(moved, Moved{lines[i], lines[i+1]})
	}
	return moved, err
}

// Diagnose is what the host itself says of a service that does not come up: its
// state, what was laid over it, and the last lines of its log without stack
// traces, which hide what went wrong.
func Diagnose(ctx context.Context, h host.Host, s Service) (string, error) {
	return sh(ctx, h, s.kind().Diagnose(s.Name))
}

// sh runs shell text on the host, which ends at the first command that fails.
func sh(ctx context.Context, h host.Host, text string) (string, error) {
	return host.Output(ctx, h, host.Script{What: "sh -eu " + strings.Join(strings.Fields(text), " "), Text: "set -eu\n" + text})
}

// lastLines is a filter: of a log, what was said last, without stack traces.
const lastLines = `grep -vE '^[[:space:]]|^goroutine |^created by |^[[:alnum:]_./*()-]+\([^ ]*(, [^ ]*)*\)$|"level":"info"|^$' | tail -n 12 | cut -c1-500 || true`

// denials names SELinux where it is enforced, with what it has denied of late.
const denials = `if [ "$(getenforce 2>/dev/null)" = Enforcing ]; then
	echo 'SELinux is enforced on this host; what it has denied: ausearch -m AVC -ts recent (a front door needs: setsebool -P httpd_can_network_connect 1)'
	ausearch -m AVC -ts recent 2>/dev/null | grep -o 'avc: .*' | tail -n 3 | cut -c1-300 || true
fi`

// unitOf is a service's unit name.
func unitOf(name string) string { return fmt.Sprintf("%s.service", name) }
