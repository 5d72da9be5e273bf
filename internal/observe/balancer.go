package observe

import (
	"encoding/json"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/model"
)

// Balancer is what a host's quorate-lb has in use.
type Balancer struct {
	Backends []model.HostID // of the front door
	Out      []string       // those of them that get no connections now
	Members  []model.HostID // of the way to etcd
	// Cluster is the id of the etcd cluster that its file names, and Current
	// says that this file is in use.
	Cluster string
	Current bool
	// Virtual are the addresses of its virtual router, and Router says whether it
	// takes part in that.
	Virtual []string
	Router  model.Known[bool]
}

var clusterID = regexp.MustCompile(`(?m)^ *clusterID:[^0-9a-f\n]*([0-9a-f]+)`)

// readBalancer takes what it says of its health, and the digest and some lines
// of its file.
func readBalancer(health, ways, sum string) (b Balancer) {
	b.Router = model.Is(false)
	var h struct { // what is needed of balancer/admin's Health
		Digest   string              `json:"digest"`
		Backends map[string][]string `json:"backends"`
		Out      map[string][]string `json:"out"`
		Virtual  []struct {
			Addresses     []string
			State, Reason string
		} `json:"virtual"`
	}
	if json.Unmarshal([]byte(health), &h) == nil { // none: it does not run
		for _, name := range h.Backends[component.DoorWay] {
			b.Backends = append(b.Backends, model.HostID(name))
		}
		b.Out = h.Out[component.DoorWay]
		for _, name := range h.Backends[component.EtcdWay] {
			b.Members = append(b.Members, model.HostID(name))
		}
		for _, r := range h.Virtual {
			b.router(r.Addresses, r.State, r.Reason)
		}
	}
	if m := clusterID.FindStringSubmatch(ways); m != nil {
		b.Cluster = m[1]
	}
	b.Current = h.Digest != "" && h.Digest == sum
	return b
}

// router takes what it says of a virtual router. One that does not take part is none
// where the process was started without the right to be one: a restart helps.
func (b *Balancer) router(addresses []string, state, reason string) {
	for _, text := range addresses {
		if p, err := netip.ParsePrefix(text); err == nil {
			b.Virtual = append(b.Virtual, p.Addr().String())
		}
	}
	switch {
	case state != "off":
		b.Router = model.Is(true)
	case strings.Contains(reason, "not permitted"): // EPERM
		b.Router = model.Is(false)
	default:
		b.Router = model.Unknown[bool](reason)
	}
}

// leads says where it leads a host. Beside an nginx that is wanted, only that
// one's backends count.
func (b Balancer) leads(h *model.Host, g *goal.Goal, nginx bool) {
	if !nginx || !h.Runs(model.FrontDoor) {
		h.Backends = model.Is(model.SetOf(b.Backends...))
	}
	if len(b.Members) == 0 {
		return
	}
	h.EtcdBackends = model.Unknown[model.HostSet]("its load balancer has not read its file yet")
	if b.Current {
		h.EtcdBackends = model.Is(model.SetOf(b.Members...))
		h.EtcdStale = b.Cluster != g.Base.EtcdCluster
	}
}

// throughWay says whether the running API server asks the host's way to etcd.
func (f Facts) throughWay(g *goal.Goal) bool {
	return slices.ContainsFunc(f.EtcdServers, func(url string) bool {
		return strings.HasSuffix(url, "//"+net.JoinHostPort("127.0.0.1", g.Layout.Balancer.EtcdPort))
	})
}
