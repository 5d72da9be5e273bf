package admin

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"quorate.dev/quorate/internal/balancer/vip"
)

// routers are the metrics of the virtual addresses.
type routers func() []vip.View

var (
	routerLabels  = []string{"interface", "vrid", "address"}
	routerDropped = prometheus.NewDesc(prefix+"vip_dropped_total", "Packets that do not count, by reason.",
		append(routerLabels, "reason"), nil)
	routerState = prometheus.NewDesc(prefix+"vip_state", "1 for the state that the virtual router is in.",
		append(routerLabels, "state"), nil)
	routerMetrics = routerTable()
)

func routerTable() []metric[vip.View] {
	m := func(kind prometheus.ValueType, name, help string, of func(vip.View) float64) metric[vip.View] {
		return newMetric(kind, "vip_"+name, help, routerLabels, of)
	}
	type V = vip.View
	return []metric[V]{
		m(gauge, "active", "1 while this host has the addresses.", func(v V) float64 { return truth(v.Active()) }),
		m(gauge, "fit", "1 while this host has a way to a server.", func(v V) float64 { return truth(v.Fit) }),
		m(gauge, "guarded", "1 while the watchdog process is there.", func(v V) float64 { return truth(v.Guarded) }),
		m(gauge, "priority", "The priority that it has now.", func(v V) float64 { return float64(v.Priority) }),
		m(gauge, "conflict", "1 while somebody else answers for an address that is here.",
			func(v V) float64 { return truth(v.Conflict != "") }),
		m(gauge, "since_timestamp_seconds", "When its state last changed.",
			func(v V) float64 { return float64(v.Since.UnixMilli()) / 1e3 }),
		m(counter, "transitions_total", "Changes of its state.", func(v V) float64 { return float64(v.Counts.Transitions.Load()) }),
		m(counter, "adverts_sent_total", "Advertisements sent.", func(v V) float64 { return float64(v.Counts.Sent.Load()) }),
		m(counter, "adverts_failed_total", "Advertisements that could not be sent.",
			func(v V) float64 { return float64(v.Counts.SendFailed.Load()) }),
		m(counter, "adverts_received_total", "Advertisements of others that counted.",
			func(v V) float64 { return float64(v.Counts.Received.Load()) }),
		m(counter, "other_addresses_total", "Advertisements that name other addresses.",
			func(v V) float64 { return float64(v.Counts.OtherAddresses.Load()) }),
		m(counter, "lost_total", "Times that this process stood still, so that the addresses were taken off.",
			func(v V) float64 { return float64(v.Counts.Lost.Load()) }),
		m(counter, "restored_total", "Addresses that somebody removed and that were put back.",
			func(v V) float64 { return float64(v.Counts.Restored.Load()) }),
		m(counter, "conflicts_total", "Claims of others for an address that is here.",
			func(v V) float64 { return float64(v.Counts.Conflicts.Load()) }),
	}
}

// Describe sends nothing, as for the collector of backends.
func (r routers) Describe(chan<- *prometheus.Desc) {}

func (r routers) Collect(to chan<- prometheus.Metric) {
	for _, v := range r() {
		labels := []string{v.Interface, fmt.Sprint(v.VRID), v.Addresses[0]}
		for _, m := range routerMetrics {
			to <- prometheus.MustNewConstMetric(m.desc, m.kind, m.of(v), labels...)
		}
		for d := range vip.NumDrops {
			to <- prometheus.MustNewConstMetric(routerDropped, counter, float64(v.Counts.Dropped[d].Load()), append(labels, d.String())...)
		}
		for _, s := range vip.States {
			to <- prometheus.MustNewConstMetric(routerState, gauge, truth(v.State == s), append(labels, s)...)
		}
	}
}
