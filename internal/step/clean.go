package step

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
)

//go:embed clean.sh
var cleanText string

//go:embed cleanfound.sh
var cleanFoundText string

// cleanUnit is the one name under which hosts are stopped and cleaned: a
// second run waits for the first.
const cleanUnit = "clean"

// cleanScript is clean.sh for a layout, with what the pod network leaves in the
// kernel; for a host that others have set up, or for one of quorate's own.
func cleanScript(at layout.Layout, found bool) string {
	var b strings.Builder
	for _, argv := range component.PodNetworkLeftovers() {
		fmt.Fprintf(&b, "%s 2>/dev/null\n", strings.Join(argv, " "))
	}
	text := strings.Replace(cleanText, "@LEFTOVERS@\n", b.String(), 1)
	if found {
		return at.Script("found=yes\n" + strings.Replace(text, "@FOUND@\n", cleanFoundText, 1))
	}
	return at.Script("found=\n" + strings.Replace(text, "@FOUND@\n", "", 1))
}

// Swept is what is left of quorate on a host that was cleaned.
type Swept struct {
	Kept string   // the folder with SweptFiles; "": there was nothing to keep
	Gone []string // what was destroyed: for good, unlike all else
	Left []string // what was not removed, and why
}

// SweptFiles is what a clean-up keeps.
const SweptFiles = "keys, etcd data and configuration"

// Sweep takes everything off a host that quorate put there for a cluster. It
// can be repeated after any interruption, and a host of another cluster is
// refused. What was kept and left is returned beside an error, too.
func Sweep(ctx context.Context, h host.Host, at layout.Layout, cluster string) (Swept, error) {
	return clean(ctx, h, at, cluster, false, "clean")
}

// clean runs the script. leaves is what the host may not keep: digests of the
// cluster's files, and the word "data".
func clean(ctx context.Context, h host.Host, at layout.Layout, cluster string, found bool, mode string, leaves ...string) (Swept, error) {
	said, err := host.Output(ctx, h, host.Script{What: mode, Text: cleanScript(at, found), Args: append([]string{cluster, mode}, leaves...),
		Unit: cleanUnit})
	var out Swept
	for _, l := range strings.Split(said, "\n") {
		if place, ok := strings.CutPrefix(l, "kept "); ok {
			out.Kept = place
		} else if what, ok := strings.CutPrefix(l, "left "); ok {
			out.Left = append(out.Left, what)
		} else if what, ok := strings.CutPrefix(l, "destroyed "); ok {
			out.Gone = append(out.Gone, what)
		}
	}
	var exit *host.ExitError
	if errors.As(err, &exit) && strings.TrimSpace(exit.Stderr) != "" {
		err = host.Errorf(h.Name(), "%s", strings.TrimSpace(exit.Stderr)) // the script's own words suffice
	}
	return out, err
}

// Do implements Action: pods end with the services, or they would run on while
// others take their place.
func (s Stop) Do(ctx context.Context, e Env) error { return s.sweep(ctx, e, "stop") }

// Do implements Action.
func (s Clean) Do(ctx context.Context, e Env) error {
	if s.Keep {
		return s.sweep(ctx, e, "clean")
	}
	leaves, err := s.seenElsewhere(ctx, e)
	if err != nil {
		return err
	}
	return s.sweep(ctx, e, "clean", leaves...)
}

func (o on) sweep(ctx context.Context, e Env, mode string, leaves ...string) error {
	swept, err := clean(ctx, e.Host, e.Goal.Layout, e.Goal.Want.Name, e.Have.Hosts[o.ID].Found, mode, leaves...)
	switch {
	case swept.Kept == "":
	case len(leaves) > 0:
		e.Keep("certificates and configuration", swept.Kept)
	default:
		e.Keep(SweptFiles, swept.Kept)
	}
	for _, l := range swept.Gone {
		e.Say("%s: destroyed %s", o.ID, l)
	}
	for _, l := range swept.Left {
		e.Say("%s: left %s", o.ID, l)
	}
	return err
}
