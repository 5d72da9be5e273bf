package balancer

import (
	"fmt"
	"slices"

	"quorate.dev/quorate/internal/balancer/health"
)

// Serving says whether a way leads to a backend that answers well, and why not.
// One that is kept in use since no other is better does not count.
func (b *Balancer) Serving(name string) (bool, string) {
	ways := b.snapshot()
	i := slices.IndexFunc(ways, func(w *way) bool { return w.name == name })
	if i < 0 {
		return false, fmt.Sprintf("there is no way %q", name)
	}
	why := "no backend of the way " + name + " answers well"
	for _, v := range ways[i].view().Backends {
		if v.State == health.Ready && v.Held == "" && !v.Draining {
			return true, ""
		}
		if v.Held != "" {
			v.Reason = v.Held
		}
		if v.Reason != "" {
			why += fmt.Sprintf("; %s: %s", v.Name, v.Reason)
		}
	}
	return false, why
}
