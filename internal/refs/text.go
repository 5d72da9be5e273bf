package refs

import (
	"fmt"
	"strings"
)

// Text is the report for people.
func (r Report) Text() string {
	var b strings.Builder
	for _, ref := range r.Refs {
		fmt.Fprintln(&b, ref)
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "and %d more\n", r.More)
	}
	for _, why := range r.NotAsked {
		fmt.Fprintf(&b, "not looked at: %s\n", why)
	}
	switch {
	case r.Well():
		b.WriteString("nothing names a host that is gone\n")
	case len(r.Refs) == 0:
		b.WriteString("nothing was found in the rest\n")
	}
	return b.String()
}

// String is a reference in one line, with what to do.
func (r Ref) String() string {
	place := r.Place
	if r.Line > 0 {
		place += fmt.Sprintf(":%d", r.Line)
	}
	return fmt.Sprintf("%s  %s %s: %s: %s\n  fix: %s", r.Host, r.Kind, place, r.Names, r.Why, r.Fix)
}
