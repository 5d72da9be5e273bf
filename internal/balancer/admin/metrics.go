package admin

import (
	"github.com/prometheus/client_golang/prometheus"

	"quorate.dev/quorate/internal/balancer"
	"quorate.dev/quorate/internal/balancer/health"
)

const prefix = "quorate_lb_"

// collector reads the balancer when it is asked, so that counting costs the
// data plane nothing but its own counters.
type collector struct {
	b    *balancer.Balancer
	info []metric[balancer.View]
	way  []metric[balancer.WayView]
	back []metric[balancer.BackendView]
	stat *prometheus.Desc
}

type metric[T any] struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(T) float64
}

func newMetric[T any](kind prometheus.ValueType, name, help string, labels []string, of func(T) float64) metric[T] {
	return metric[T]{prometheus.NewDesc(prefix+name, help, labels, nil), kind, of}
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

func newCollector(b *balancer.Balancer) *collector {
	way, both := []string{"way"}, []string{"way", "backend"}
	w := func(kind prometheus.ValueType, name, help string, of func(balancer.WayView) float64) metric[balancer.WayView] {
		return newMetric(kind, name, help, way, of)
	}
	k := func(kind prometheus.ValueType, name, help string, of func(balancer.BackendView) float64) metric[balancer.BackendView] {
		return newMetric(kind, "backend_"+name, help, both, of)
	}
	type W = balancer.WayView
	type B = balancer.BackendView
	return &collector{
		b: b,
		info: []metric[balancer.View]{
			newMetric(gauge, "config_invalid", "1 while a newer configuration file is not valid and the old one is in use.", nil,
				func(v balancer.View) float64 { return truth(v.Invalid != "") }),
			newMetric(counter, "config_refused_total", "Configuration files that were not taken.", nil,
				func(v balancer.View) float64 { return float64(v.RefusedFiles) }),
			newMetric(gauge, "config_loaded_timestamp_seconds", "When the configuration in use was loaded.", nil,
				func(v balancer.View) float64 { return float64(v.Loaded.UnixMilli()) / 1e3 }),
			newMetric(gauge, "draining", "1 while the process accepts nothing and lets its sessions end.", nil,
				func(v balancer.View) float64 { return truth(v.Draining) }),
		},
		way: []metric[W]{
			w(gauge, "sessions", "Connections of clients now.", func(v W) float64 { return float64(v.Sessions) }),
			w(gauge, "sessions_limit", "The most connections of clients.", func(v W) float64 { return float64(v.Limit) }),
			w(gauge, "pending", "Connections whose first message is not whole.", func(v W) float64 { return float64(v.Pending) }),
			w(gauge, "check_interval_seconds", "Time between two checks of a backend.", func(v W) float64 { return v.Interval.Seconds() }),
			w(counter, "connections_total", "Connections accepted.", func(v W) float64 { return float64(v.Counts.Connections.Load()) }),
			w(counter, "refused_total", "Connections reset since no backend took them.",
				func(v W) float64 { return float64(v.Counts.Refused.Load()) }),
			w(counter, "limited_total", "Connections reset at the limit.", func(v W) float64 { return float64(v.Counts.Limited.Load()) }),
			w(counter, "incomplete_total", "Connections that ended before their first message was whole.",
				func(v W) float64 { return float64(v.Counts.Incomplete.Load()) }),
			w(counter, "lags_total", "How often the process itself ran late.", func(v W) float64 { return float64(v.Lags) }),
		},
		back: []metric[B]{
			k(gauge, "sessions", "Sessions and attempts now.", func(v B) float64 { return float64(v.Sessions) }),
			k(gauge, "held", "1 while it fails its checks and is kept since no other is better.", func(v B) float64 { return truth(v.Held != "") }),
			k(gauge, "since_timestamp_seconds", "When its state last changed.", func(v B) float64 { return float64(v.Since.UnixMilli()) / 1e3 }),
			k(counter, "connections_total", "Sessions that it got.", func(v B) float64 { return float64(v.Counts.Connections.Load()) }),
			k(counter, "attempts_failed_total", "Attempts to reach it that failed.",
				func(v B) float64 { return float64(v.Counts.DialFailed.Load()) }),
			k(counter, "hedged_total", "Attempts beside a slower backend's.", func(v B) float64 { return float64(v.Counts.Hedged.Load()) }),
			k(counter, "reset_total", "Sessions reset since it was gone.", func(v B) float64 { return float64(v.Counts.Reset.Load()) }),
			k(counter, "shed_total", "Sessions closed since it was not ready.", func(v B) float64 { return float64(v.Counts.Shed.Load()) }),
			k(counter, "received_bytes_total", "Bytes from clients to it.", func(v B) float64 { return float64(v.Counts.FromClient.Load()) }),
			k(counter, "sent_bytes_total", "Bytes from it to clients.", func(v B) float64 { return float64(v.Counts.ToClient.Load()) }),
			k(counter, "checks_ok_total", "Checks that found it ready.", func(v B) float64 { return float64(v.Checks.OK) }),
			k(counter, "checks_failed_total", "Checks that did not.", func(v B) float64 { return float64(v.Checks.Failed) }),
			k(gauge, "check_seconds", "Median latency of its last 64 good checks.", func(v B) float64 { return v.Checks.Median.Seconds() }),
		},
		stat: prometheus.NewDesc(prefix+"backend_state", "1 for the state that it is in.", append(both, "state"), nil),
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Describe sends nothing: backends come and go, so the collector is unchecked.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	v := c.b.View()
	for _, m := range c.info {
		to <- prometheus.MustNewConstMetric(m.desc, m.kind, m.of(v))
	}
	for _, w := range v.Ways {
		for _, m := range c.way {
			to <- prometheus.MustNewConstMetric(m.desc, m.kind, m.of(w), w.Name)
		}
		for _, b := range w.Backends {
			name := b.Name
			if b.Draining {
				name += "@" + b.Address // another one may have its name by now
			}
			for _, m := range c.back {
				to <- prometheus.MustNewConstMetric(m.desc, m.kind, m.of(b), w.Name, name)
			}
			for s := health.Unknown; s <= health.Barred; s++ {
				to <- prometheus.MustNewConstMetric(c.stat, gauge, truth(s == b.State), w.Name, name, s.String())
			}
		}
	}
}
