package observe

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"quorate.dev/quorate/internal/component"
	"quorate.dev/quorate/internal/goal"
	"quorate.dev/quorate/internal/host"
	"quorate.dev/quorate/internal/layout"
	"quorate.dev/quorate/internal/model"
	"quorate.dev/quorate/internal/pki"
	"quorate.dev/quorate/internal/workload"
)

// askName asks an API server by the endpoint's name.
const askName = `! is_up $UNIT_API_SERVER || ask_named name 3 $AT_CA_CERT "127.0.0.1:$PORT_API_SERVER" "https://$ENDPOINT/"`

//go:embed probe.sh
var probeText string

// script is the probe with what package workload looks at. Its answer is sent at
// once: in a hundred pieces it would keep sshd busy.
func script(at layout.Layout) string {
	text := strings.Replace(probeText, "# @SERVICES@\n", workload.ProbeScript(component.Watched(at), askName), 1)
	text = strings.Replace(text, "@ROTATION@", component.HAProxyServers(at), 1)
	text = workload.DigestScript + text
	return at.Script("look() {\n" + text + "\n}\nanswer=$(look)\nprintf '%s\\n' \"$answer\"\n")
}

const (
	// probeTimeout bounds one look at one host; a host that takes longer is not
	// known, which counts as down.
	probeTimeout = 20 * time.Second
	// slowProbe is the most where control planes are slow: each host has
	// probeFactor times what the slowest of them has taken so far.
	slowProbe   = time.Minute
	probeFactor = 8
)

// probeLimit is how long a host may take, when one has taken so long.
func probeLimit(slowest time.Duration) time.Duration {
	return min(max(probeTimeout, probeFactor*slowest), slowProbe)
}

// Probe looks at one host, in one round trip, within a time.
func Probe(ctx context.Context, h host.Host, g *goal.Goal, id model.HostID, limit time.Duration) Facts {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start := time.Now()
	answer, err := host.Ask(ctx, h, host.Script{What: "probe", Text: preamble(g, id) + script(g.Layout), Secret: true})
	if err != nil {
		return Facts{Err: err, Took: time.Since(start)}
	}
	f, err := parse(answer, g.Layout)
	f.Took = time.Since(start)
	if err != nil {
		return Facts{Err: host.Errorf(h.Name(), "read the probe: %w", err), Took: f.Took}
	}
	return f
}

// preamble sets the variables of the script that depend on the host. All values are paths and names of
// quorate's own making, without blanks or quotes.
func preamble(g *goal.Goal, id model.HostID) string {
	paths := map[string]bool{}
	for _, list := range g.Paths(id) {
		for _, p := range list {
			paths[p] = true
		}
	}
	for p := range hostOf(g, id).System.Sums() {
		paths[p] = true
	}
	var pems, sysctls, needs []string
	for _, c := range hostOf(g, id).Certs {
		pems = append(pems, c.Path+":"+c.KeyPath)
	}
	for k := range hostOf(g, id).System.Sysctls {
		sysctls = append(sysctls, k)
	}
	for _, n := range g.NeedsOf(id) {
		needs = append(needs, n.Command)
	}
	vars := workload.ProbeVars(hostOf(g, id).Services[:])
	if h := hostOf(g, id); h.Services[model.Etcd] != nil || h.Services[model.APIServer] != nil {
		for _, n := range g.Base.EtcdMembers {
			vars["ETCDS"] = append(vars["ETCDS"], g.Layout.Etcd.ClientURL(n.Address), g.Layout.Etcd.PeerURL(n.Address))
		}
	}
	vars["ENDPOINT"] = []string{g.Base.Endpoint()}
	maps.Copy(vars, map[string][]string{"PATHS": slices.Sorted(maps.Keys(paths)), "PEMS": pems, "KEYS": pki.SharedPaths(g.Layout.PKI),
		"SYSCTLS": sysctls, "NEEDS": needs})
	var b strings.Builder
	for k, v := range vars {
		fmt.Fprintf(&b, "%s='%s'\n", k, strings.Join(v, " "))
	}
	return b.String()
}

// hostOf is the goal of a host, or an empty one for a host that leaves.
func hostOf(g *goal.Goal, id model.HostID) *goal.Host {
	if h, ok := g.Hosts[id]; ok {
		return h
	}
	return &goal.Host{}
}
