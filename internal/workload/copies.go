package workload

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"quorate.dev/quorate/internal/host"
)

// Copy is a file that belongs to a service's user, with the content of one that
// belongs to root.
type Copy struct{ From, To string }

// copied is who may do what with a copy. What reloads may still run as root, started
// by an earlier build: without capabilities it reads by its group.
func (s Service) copied() Mode {
	if s.Reload {
		return Mode{Bits: 0o440, Owner: s.User + ":root"}
	}
	return Mode{Bits: 0o400, Owner: s.User + ":" + s.User}
}

// true stands for the digest of a copy that is as it must be: what its content
// is only the host knows.
func (c Copy) true() string { return "copy of " + c.From }

// Seen is what takes the place of the digest of a copy, as a host tells it.
func (s Service) Seen(c Copy, sums map[string]string, modes map[string]Mode) string {
	if sums[c.To] != "" && sums[c.To] == sums[c.From] && modes[c.To] == s.copied() {
		return c.true()
	}
	return sums[c.To]
}

// Mode is who may do what with a file.
type Mode struct {
	Bits  uint32
	Owner string // user:group
}

//go:embed copies.sh
var copiesText string

// MakeCopies brings the copies of services up to date, and makes the users that
// they belong to.
func MakeCopies(ctx context.Context, h host.Host, services []*Service) error {
	return makeCopies(ctx, h, services, "")
}

// RefreshCopies does the same, but for files that are missing: who brings them
// makes the copies.
func RefreshCopies(ctx context.Context, h host.Host, services []*Service) error {
	return makeCopies(ctx, h, services, "LATER=yes\n")
}

func makeCopies(ctx context.Context, h host.Host, services []*Service, later string) error {
	var calls strings.Builder
	for _, s := range services {
		if s == nil || s.User == "" {
			continue
		}
		m := s.copied()
		fmt.Fprintf(&calls, "copies %s %s %o", s.User, m.Owner, m.Bits)
		for _, c := range s.Copies {
			fmt.Fprintf(&calls, " %s %s", c.From, c.To)
		}
		calls.WriteString("\n")
	}
	if calls.Len() == 0 {
		return nil
	}
	_, err := host.Output(ctx, h, host.Script{What: "copy what services read", Text: "set -eu\n" + later + copiesText + calls.String()})
	return err
}
