package balancer

import "time"

// candidate is a backend as the choice sees it.
type candidate struct {
	tier     int // lower first
	sessions int64
	share    float64 // of new connections while it starts slowly; 1 is all
}

// Tiers, best first. A way whose checks are strict stops at tierNotReady.
const (
	tierPreferred = iota
	tierReady
	tierUnknown
	tierLeaving
	tierNotReady
	tierGone
	tierNever
)

// leastShare is what a backend gets of new connections when it has just come
// back: enough to warm up, too few to hurt.
const leastShare = 0.1

// rampUp is a backend's share of new connections so long after it came back.
func rampUp(since, slowStart time.Duration) float64 {
	if since >= slowStart {
		return 1
	}
	return leastShare + (1-leastShare)*float64(since)/float64(slowStart)
}

// pick chooses among candidates: of the best tier the one with the fewest
// sessions. One that starts slowly takes part only in its share of choices,
// unless nobody else would be left. draw is a random number in [0, 1) for each.
// It returns -1 when all are of tierNever.
func pick(candidates []candidate, draw func() float64) int {
	best, late := -1, -1
	var ties int
	for i, c := range candidates {
		if c.tier >= tierNever {
			continue
		}
		if c.share < 1 && draw() >= c.share {
			if late < 0 || less(c, candidates[late]) {
				late = i
			}
			continue
		}
		switch {
		case best < 0 || less(c, candidates[best]):
			best, ties = i, 1
		case !less(candidates[best], c):
			if ties++; draw()*float64(ties) < 1 {
				best = i
			}
		}
	}
	if best < 0 || late >= 0 && candidates[late].tier < candidates[best].tier {
		return late
	}
	return best
}

func less(a, b candidate) bool {
	if a.tier != b.tier {
		return a.tier < b.tier
	}
	return a.sessions < b.sessions
}
