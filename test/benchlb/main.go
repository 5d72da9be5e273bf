// Command benchlb measures balancers side by side: direct, nginx stream,
// haproxy and quorate-lb before the same three TLS backends, on the same
// cores, in turn. It prints medians as a Markdown table.
//
//	benchlb -lb bin/quorate-lb [-runs 5] [-seconds 2] [-idle 2000] [-only ours,nginx]
//	benchlb -lb bin/quorate-lb -churn 2000000
//	benchlb -lb bin/quorate-lb -endure
//	benchlb -lb bin/quorate-lb -etcd FOLDER
//
// With -churn it opens so many connections through quorate-lb instead, and
// fails when memory or descriptors grow. With -endure it holds up to 20,000 idle
// ones, and fails when storms of bad clients are felt by others. With -etcd it compares an API server
// that asks etcd directly with one that asks through quorate-lb.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// backends is how many servers stand behind each balancer.
const backends = 3

func main() {
	var o options
	flag.StringVar(&o.lb, "lb", "bin/quorate-lb", "the program `file` of quorate-lb")
	flag.IntVar(&o.runs, "runs", 5, "runs, of which medians are taken")
	flag.Float64Var(&o.seconds, "seconds", 2, "how long each measurement lasts")
	flag.IntVar(&o.idle, "idle", 2000, "idle connections to measure memory with")
	flag.IntVar(&o.churn, "churn", 0, "open so many connections through quorate-lb, and nothing else")
	only := flag.String("only", "direct,nginx,haproxy,ours", "what to measure")
	storms := flag.Bool("endure", false, "hold idle connections beside storms of bad clients, and nothing else")
	programs := flag.String("etcd", "", "compare writes with and without the way to etcd, with the programs in this `folder`")
	serve := flag.String("serve", "", "be the backends, with certificates in this `folder` (for the program's own use)")
	flag.Parse()
	o.only = strings.Split(*only, ",")
	var err error
	switch {
	case *serve != "":
		err = serveBackends(*serve)
	case *programs != "":
		err = writeLatency(o, *programs)
	case *storms:
		err = endure(o)
	case o.churn > 0:
		err = churn(o)
	default:
		err = bench(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchlb:", err)
		os.Exit(1)
	}
}

type options struct {
	lb                string
	runs, idle, churn int
	seconds           float64
	only              []string
}

func (o options) duration() time.Duration { return time.Duration(o.seconds * float64(time.Second)) }

// figures of one target in one run.
type figures struct {
	handshakes, requests     float64 // a second
	cpuHandshake, cpuRequest float64 // of the balancer, µs
	cpuSeldom                float64 // the same for a request where there are few
	cpuGB                    float64 // of the balancer, s
	rate                     float64 // GB/s
	idle                     float64 // KiB a connection
	rss                      float64 // MiB without connections
	latency                  float64 // µs, median
}

func bench(o options) error {
	bed, err := newBed(o)
	if err != nil {
		return err
	}
	defer bed.close()
	all := map[string][]figures{}
	for run := range o.runs {
		for _, t := range bed.targets {
			once := o
			if run > 0 {
				once.idle = 0 // allocators keep what the first run took
			}
			f, err := bed.measure(once, t)
			if err != nil {
				return fmt.Errorf("%s, run %d: %w", t.name, run+1, err)
			}
			if run > 0 {
				f.rss = 0
			}
			all[t.name] = append(all[t.name], f)
			fmt.Fprintf(os.Stderr, "run %d: %-8s %+v\n", run+1, t.name, f)
		}
	}
	report(o, bed, all)
	return nil
}

// median leaves out what was not measured. What is measured in the first run
// only, on processes that have just begun, is that run's.
func median(all []figures, of func(figures) float64) float64 {
	var values []float64
	for _, f := range all {
		if v := of(f); v != 0 {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return 0
	}
	slices.SortFunc(values, cmp.Compare[float64])
	return values[len(values)/2]
}

func report(o options, b *bed, all map[string][]figures) {
	var direct float64
	if len(all["direct"]) > 0 {
		direct = median(all["direct"], func(f figures) float64 { return f.latency })
	}
	rows := []struct {
		title, form string
		of          func(figures) float64
	}{
		{"new TLS connections with one request, a second", "%.0f", func(f figures) float64 { return f.handshakes }},
		{"its CPU for each, µs", "%.0f", func(f figures) float64 { return f.cpuHandshake }},
		{"keep-alive requests over 32 connections, a second", "%.0f", func(f figures) float64 { return f.requests }},
		{"its CPU for each, µs", "%.1f", func(f figures) float64 { return f.cpuRequest }},
		{"its CPU for each where there are 100 a second, with its checks, µs", "%.0f", func(f figures) float64 { return f.cpuSeldom }},
		{"one stream of plain bytes, GB/s", "%.2f", func(f figures) float64 { return f.rate }},
		{"its CPU for a GB, s", "%.3f", func(f figures) float64 { return f.cpuGB }},
		{fmt.Sprintf("memory for each of %d idle connections, KiB", o.idle), "%.1f", func(f figures) float64 { return f.idle }},
		{"memory without connections, MiB", "%.1f", func(f figures) float64 { return f.rss }},
		{"median latency of a request, µs", "%.0f", func(f figures) float64 { return f.latency }},
		{"of that added, µs", "%.0f", func(f figures) float64 { return max(0, f.latency-direct) }},
	}
	fmt.Print("| |")
	for _, t := range b.targets {
		fmt.Printf(" %s |", t.name)
	}
	fmt.Print(" ours ÷ nginx |\n|---|", strings.Repeat("--:|", len(b.targets)+1), "\n")
	for _, r := range rows {
		fmt.Printf("| %s |", r.title)
		for _, t := range b.targets {
			v := median(all[t.name], r.of)
			if t.pid == 0 && v == 0 {
				fmt.Print(" – |")
				continue
			}
			fmt.Printf(" "+r.form+" |", v)
		}
		if len(all["ours"]) > 0 && len(all["nginx"]) > 0 {
			// Ratios within a run, so that what slows the machine down counts for both.
			var ratios []figures
			for i := range all["ours"] {
				a, n := r.of(all["ours"][i]), r.of(all["nginx"][i])
				if a != 0 && n != 0 {
					ratios = append(ratios, figures{latency: a / n})
				}
			}
			if len(ratios) > 0 {
				fmt.Printf(" **%.2f** |", median(ratios, func(f figures) float64 { return f.latency }))
			} else {
				fmt.Print(" – |")
			}
		}
		fmt.Println()
	}
}
