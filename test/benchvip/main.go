// Command benchvip measures how long a virtual address is away: with quorate-lb,
// and with keepalived in the same run, on hosts that are network namespaces. Each
// row is the median of some runs, in which the active router's host falls silent,
// its process hangs, or it is stopped in order.
//
// It needs root, iproute2 and keepalived; see hack/bench-vip.sh.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"quorate.dev/quorate/internal/balancer/viptest"
)

func main() {
	lb := flag.String("lb", "bin/quorate-lb", "the `program` to measure")
	runs := flag.Int("runs", 5, "how often each fault is made")
	busy := flag.Duration("saturate", 0, "instead, keep all cores busy for this `time` and count how often addresses move")
	flag.Parse()
	if err := bench(*lb, *runs, *busy); err != nil {
		fmt.Fprintln(os.Stderr, "benchvip:", err)
		os.Exit(1)
	}
}

// contender is a pair of routers on hosts 0 and 1. The backup's priority is 100,
// from which the RFC's timer follows.
type contender struct {
	name    string
	advert  time.Duration
	nice    string
	program func(b *bed, host int) (*process, error)
}

const backupPriority = 100

// at is the contender with a niceness.
func (c contender) at(nice string) contender {
	c.nice = nice
	return c
}

// floor is the RFC's Active_Down_Interval of the backup: it counts from the last
// advertisement, so that an outage may be shorter by up to one interval.
func (c contender) floor() time.Duration {
	return 3*c.advert + c.advert*(256-backupPriority)/256
}

// fault is how the active router ends. undo makes its host well again, apart from
// its process, which is killed then.
type fault struct {
	name string
	make func(b *bed, p *process) error
	undo func(b *bed, p *process) error
	goal func(c contender) time.Duration // 0: none
}

func bench(lb string, runs int, busy time.Duration) error {
	if why := viptest.Missing(); why != "" {
		return fmt.Errorf("%s", why)
	}
	const ms = time.Millisecond
	ours := func(advert time.Duration) contender {
		return contender{"quorate-lb", advert, "", func(b *bed, i int) (*process, error) { return b.quorate(lb, i, advert) }}
	}
	theirs := func(advert time.Duration) contender {
		return contender{"keepalived", advert, "", func(b *bed, i int) (*process, error) { return b.keepalived(i, advert) }}
	}
	if busy > 0 {
		return saturate([]contender{ours(100 * ms).at("0"), ours(100 * ms).at("-10"), ours(200 * ms).at("0"), theirs(100 * ms).at("0"),
			theirs(time.Second).at("0")}, busy)
	}
	contenders := []contender{ours(100 * ms), theirs(100 * ms), theirs(time.Second)}
	faults := []fault{
		{"host lost", func(b *bed, _ *process) error { return b.Unplug(0, false) },
			func(b *bed, _ *process) error { return b.Plug(0) },
			func(c contender) time.Duration { return c.floor() * 11 / 10 }},
		{"balancer hung", func(b *bed, p *process) error { return errors.Join(p.hang(), b.silence(0)) }, nil,
			func(contender) time.Duration { return 400 * ms }},
		{"clean stop", func(_ *bed, p *process) error { return p.stop() }, nil,
			func(contender) time.Duration { return 100 * ms }},
	}
	took := map[string][]time.Duration{}
	key := func(c contender, f fault) string { return fmt.Sprint(c.name, c.advert, f.name) }
	for run := range runs {
		for _, c := range contenders {
			for _, f := range faults {
				d, err := once(c, f)
				if err != nil {
					return fmt.Errorf("%s at %v, %s: %w", c.name, c.advert, f.name, err)
				}
				took[key(c, f)] = append(took[key(c, f)], d)
				fmt.Fprintf(os.Stderr, "run %d of %d: %s at %v, %s: %d ms\n", run+1, runs, c.name, c.advert, f.name, d.Milliseconds())
			}
		}
	}
	fmt.Printf("| | adverts | RFC's timer | fault | median of %d | from – to | ÷ timer | goal |\n|---|--:|--:|---|--:|--:|--:|--:|\n", runs)
	for _, f := range faults {
		for _, c := range contenders {
			print(c, f, took[key(c, f)])
		}
	}
	return nil
}

func print(c contender, f fault, all []time.Duration) {
	slices.Sort(all)
	median := all[len(all)/2]
	goal := ""
	if c.name == "quorate-lb" {
		most := f.goal(c)
		if goal = fmt.Sprintf("≤ %d ms", most.Milliseconds()); median > most {
			goal += ", **missed**"
		}
	}
	fmt.Printf("| %s | %v | %d ms | %s | %s | %s – %s | %.2f | %s |\n", c.name, c.advert, c.floor().Milliseconds(), f.name, show(median),
		show(all[0]), show(all[len(all)-1]), median.Seconds()/c.floor().Seconds(), goal)
}

// most is what an outage is waited for; one that is longer has no end.
const most = 10 * time.Second

func show(d time.Duration) string {
	if d >= most {
		return fmt.Sprintf("> %v", most)
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
