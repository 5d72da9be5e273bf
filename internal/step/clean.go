package step

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/host"
)

//go:embed clean.sh
var cleanText string

// cleanUnit is the one name under which hosts are stopped and cleaned: a
// second run waits for the first.
const cleanUnit = "clean"

// cleanScript is clean.sh with what the pod network leaves in the kernel.
func cleanScript() string {
	var b strings.Builder
	for _, argv := range component.PodNetworkLeftovers() {
		fmt.Fprintf(&b, "%s 2>/dev/null\n", strings.Join(argv, " "))
	}
	return strings.Replace(cleanText, "@LEFTOVERS@\n", b.String(), 1)
}

// Sweep takes everything off a host that quorate put there for a cluster, and
// tells in sentences what was kept where and what was left. It can be repeated
// after any interruption, and a host of another cluster is refused.
func Sweep(ctx context.Context, h host.Host, cluster string) ([]string, error) {
	return clean(ctx, h, cluster, "clean")
}

func clean(ctx context.Context, h host.Host, cluster, mode string) ([]string, error) {
	res, err := h.Run(ctx, host.Cmd{Args: []string{"sh", "-s", "--", cluster, mode}, Stdin: strings.NewReader(cleanScript()), Unit: cleanUnit})
	var says []string
	for _, l := range strings.Split(strings.TrimSpace(string(res.Stdout)), "\n") {
		if place, ok := strings.CutPrefix(l, "kept "); ok {
			says = append(says, "keys, etcd's data and configuration are kept in "+place)
		} else if what, ok := strings.CutPrefix(l, "left "); ok {
			says = append(says, "left "+what)
		}
	}
	var exit *host.ExitError
	if errors.As(err, &exit) && strings.TrimSpace(exit.Stderr) != "" {
		err = fmt.Errorf("%s: %s", h.Name(), strings.TrimSpace(exit.Stderr)) // the script's own words suffice
	}
	return says, err
}

// Do implements Action: pods end with the services, or they would run on while
// others take their place.
func (s Stop) Do(ctx context.Context, e Env) error { return s.sweep(ctx, e, "stop") }

// Do implements Action.
func (s Clean) Do(ctx context.Context, e Env) error { return s.sweep(ctx, e, "clean") }

func (o on) sweep(ctx context.Context, e Env, mode string) error {
	says, err := clean(ctx, e.Host, e.Goal.Want.Name, mode)
	for _, l := range says {
		e.Say("%s: %s", o.ID, l)
	}
	return err
}
