package balancer

import "time"

// GoHome is what is done once a second.
func (b *Balancer) GoHome(now time.Time) {
	for _, w := range b.snapshot() {
		w.goHome(now)
	}
}
